import type { Clock, Driver, Mode, Session } from '../drivers/driver.ts';
import { toStored } from '../timestamps.ts';

/** What every repository has: the driver that runs its statements, and the time. */
export abstract class Repository<M extends Mode> {
  protected readonly db: Driver<M>;
  protected readonly clock: Clock;
  protected readonly session: Session<M>;

  constructor(session: Session<M>) {
    this.session = session;
    this.db = session.driver;
    this.clock = session.clock;
  }

  /** The time in the form in which it is stored. */
  protected now(): string {
    return toStored(this.clock());
  }
}
