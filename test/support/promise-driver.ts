import type {
  BackgroundReads,
  CheckpointResult,
  Damage,
  DatabaseManager,
  Driver,
  Engine,
  LockName,
  Params,
  Row,
  SchemaObject,
  Scope,
  Session,
  Sizes,
  Steps,
} from 'proxyvault/database';
import { OpenTransaction } from '../../src/database/drivers/transaction.ts';
import { ProxyVaultError } from '../../src/errors.ts';

/** A session of an engine that answers with promises, as one over a network will. */
export function asyncSession(db: DatabaseManager): Session<'async'> {
  const driver = new PromiseDriver(db.driver);
  return { driver, engine: new PromiseEngine(driver, db.engine), clock: db.clock };
}

/**
 * Answers each statement a turn of the event loop later. There is one connection: an outermost transaction, or a
 * statement outside one, waits for its turn. A statement belongs to the transaction whose steps issue it.
 */
class PromiseDriver implements Driver<'async'> {
  readonly mode = 'async';
  readonly #engine: DatabaseManager['driver'];
  /** The transaction whose steps run at this moment. */
  #running: OpenTransaction | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(engine: DatabaseManager['driver']) {
    this.#engine = engine;
  }

  get scope(): Scope | null {
    return this.#running?.scope ?? null;
  }

  sequence<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.#drive(this.#running, steps);
  }

  async lock(_name: LockName): Promise<void> {
    if (this.#running === null)
      throw new ProxyVaultError('INVALID_INPUT', 'A lock is held by a transaction.');
  }

  first<T>(sql: string, params: Params, map: (row: Row) => T): Promise<T | null> {
    return this.#statement(sql, () => this.#engine.first(sql, params, map));
  }

  one<T>(sql: string, params: Params, map: (row: Row | undefined) => T): Promise<T> {
    return this.#statement(sql, () => this.#engine.one(sql, params, map));
  }

  all<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Promise<T[]>;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish: (values: T[]) => U,
  ): Promise<U>;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish?: (values: T[]) => U,
  ): Promise<T[] | U> {
    return this.#statement(sql, () =>
      finish ? this.#engine.all(sql, params, map, finish) : this.#engine.all(sql, params, map),
    );
  }

  run(sql: string, params: Params): Promise<number>;
  run<T>(sql: string, params: Params, map: (changed: number) => T): Promise<T>;
  run<T>(sql: string, params: Params, map?: (changed: number) => T): Promise<number | T> {
    return this.#statement(sql, () =>
      map ? this.#engine.run(sql, params, map) : this.#engine.run(sql, params),
    );
  }

  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): AsyncGenerator<T> {
    const owner = this.#running;
    return this.#stream(() => this.#statement(sql, () => this.#engine.iterate(sql, params, map), owner));
  }

  transaction<T>(steps: () => Steps<'async', T>): Promise<T> {
    const outer = this.#running;
    return outer ? this.#nested(outer, steps) : this.#alone(() => this.#outermost(steps));
  }

  afterTransaction(work: () => unknown): void {
    if (this.#running === null) work();
    else this.#running.followUpWith(work);
  }

  async *#stream<T>(open: () => Promise<Iterable<T>>): AsyncGenerator<T> {
    yield* await open();
  }

  #statement<T>(sql: string, work: () => T, owner = this.#running): Promise<T> {
    if (owner === null) return this.#alone(() => later(work));
    return later(() => {
      owner.assertAlive();
      owner.assertStaysOpen(sql);
      return this.#within(owner, work);
    });
  }

  /** Runs `work` when everything before it has ended. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #outermost<T>(steps: () => Steps<'async', T>): Promise<T> {
    this.#engine.exec('BEGIN IMMEDIATE');
    const transaction = new OpenTransaction();
    try {
      const result = await this.#drive(transaction, steps);
      transaction.assertAlive();
      this.#within(transaction, () => this.#engine.exec('COMMIT'));
      return result;
    } catch (error) {
      transaction.undo();
      if (this.#engine.inTransaction) this.#engine.exec('ROLLBACK');
      throw transaction.cause ?? error;
    } finally {
      for (const work of transaction.followUps) await work();
    }
  }

  async #nested<T>(transaction: OpenTransaction, steps: () => Steps<'async', T>): Promise<T> {
    transaction.assertAlive();
    const name = `nested_${transaction.depth}`;
    this.#engine.exec(`SAVEPOINT ${name}`);
    transaction.enter();
    try {
      const result = await this.#drive(transaction, steps);
      transaction.assertAlive();
      this.#engine.exec(`RELEASE ${name}`);
      return result;
    } catch (error) {
      transaction.undo();
      if (transaction.cause === null) this.#engine.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      transaction.leave();
    }
  }

  async #drive<T>(transaction: OpenTransaction | null, steps: () => Steps<'async', T>): Promise<T> {
    const enter = <U>(work: () => U): U => {
      const before = this.#running;
      this.#running = transaction;
      try {
        return work();
      } finally {
        this.#running = before;
      }
    };
    const generator = enter(steps);
    let step = enter(() => generator.next());
    while (!step.done) {
      const settled = await step.value.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      step = enter(() =>
        'error' in settled ? generator.throw(settled.error) : generator.next(settled.value),
      );
    }
    return step.value;
  }

  #within<T>(transaction: OpenTransaction, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!this.#engine.inTransaction && error instanceof ProxyVaultError) transaction.lose(error);
      throw error;
    }
  }
}

/** The rest of an engine, each answer a turn of the event loop later. */
class PromiseEngine implements Engine<'async'> {
  readonly driver: PromiseDriver;
  readonly #engine: DatabaseManager['engine'];

  constructor(driver: PromiseDriver, engine: DatabaseManager['engine']) {
    this.driver = driver;
    this.#engine = engine;
  }

  script(sql: string): Promise<void> {
    return later(() => this.#engine.script(sql));
  }

  objects(): Promise<SchemaObject[]> {
    return later(() => this.#engine.objects());
  }

  columnsOf(table: string): Promise<string[]> {
    return later(() => this.#engine.columnsOf(table));
  }

  snapshot<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.sequence(steps);
  }

  changeSchema<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.transaction(steps);
  }

  tryOut<T>(steps: (engine: Engine<'async'>) => Steps<'async', T>): Promise<T> {
    return this.driver.sequence(() => steps(this));
  }

  checkpoint(): Promise<CheckpointResult> {
    return later(() => this.#engine.checkpoint());
  }

  get background(): BackgroundReads {
    return this.#engine.background;
  }

  sizes(): Promise<Sizes> {
    return later(() => this.#engine.sizes());
  }

  findDamage(deep: boolean): Promise<Damage> {
    return this.#engine.findDamage(deep);
  }

  eachRow(table: string, use: (row: Row) => void): Promise<void> {
    return this.#engine.eachRow(table, use);
  }
}

function later<T>(work: () => T): Promise<T> {
  return new Promise<void>((resolve) => setImmediate(resolve)).then(work);
}
