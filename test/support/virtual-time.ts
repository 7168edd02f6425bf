import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

/**
 * The monotonic clock of this thread, and the pauses of `node:timers/promises`. Time stands still but for the pauses, which
 * take none.
 */
class VirtualTime {
  #now = 1000;
  /** Hears of each pause, before the clock advances. */
  onPause: ((milliseconds: number) => void) | null = null;

  now(): number {
    return this.#now;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Replaces the clock for the rest of this thread's life. */
  install(): void {
    performance.now = () => this.#now;
    const pause = async <T>(milliseconds = 0, value?: T): Promise<T | undefined> => {
      this.onPause?.(milliseconds);
      this.advance(milliseconds);
      await timers.setImmediate();
      return value;
    };
    Object.assign(timers, { setTimeout: pause });
    syncBuiltinESMExports();
    const wait = Atomics.wait;
    // A synchronous pause is one that really lasts, so it must not seem to take no time.
    const waitAndAdvance = (
      ...[cells, index, value, timeout]: Parameters<typeof wait>
    ): ReturnType<typeof wait> => {
      const result = wait(cells, index, value, timeout);
      if (result === 'timed-out') this.advance(timeout ?? 0);
      return result;
    };
    Object.assign(Atomics, { wait: waitAndAdvance });
  }
}

export const time = new VirtualTime();
