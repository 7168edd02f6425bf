import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished, vi } from 'vitest';

/** Another process that can hold the write lock of a pool. */
export interface LockHolder {
  /** Resolves once it holds the lock. */
  hold: () => Promise<void>;
  /** The same, and it lets the lock go by itself soon after: for who waits inside SQLite, where no one can tell it. */
  holdShortly: () => Promise<void>;
  /** Tells it to let the lock go, if it was not told already; it has written nothing. */
  letGo: () => void;
}

const HOLDER = `
  const { readSync } = await import('node:fs');
  const { initDatabase } = await import('proxyvault/database');
  const db = initDatabase({ path: process.argv[1] });
  /** A letter of the parent; '' at its end. */
  const hear = () => {
    const letter = Buffer.alloc(1);
    return letter.toString('utf8', 0, readSync(0, letter));
  };
  for (let wish; (wish = hear()) !== ''; ) db.transaction(() => {
    process.stdout.write('held');
    if (wish === 'h') hear();
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  });
  db.close();`;

/** Starts one, which ends with the test. */
export function startLockHolder(path: string): LockHolder {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.stdin.end();
    await closed;
  });
  let isHeld = false;
  const ask = async (wish: 'h' | 's'): Promise<void> => {
    child.stdin.write(wish);
    await once(child.stdout, 'data');
    isHeld = wish === 'h';
  };
  return {
    hold: () => ask('h'),
    holdShortly: () => ask('s'),
    letGo: () => {
      if (isHeld) child.stdin.write('l');
      isHeld = false;
    },
  };
}

/** Calls `act` each time this thread is about to wait for a lock, until the test ends. */
export function onWaiting(act: () => void): void {
  const wait = Atomics.wait.bind(Atomics) as (...args: unknown[]) => 'ok' | 'not-equal' | 'timed-out';
  const spy = vi.spyOn(Atomics, 'wait').mockImplementation((...args: unknown[]) => {
    act();
    return wait(...args);
  });
  onTestFinished(() => spy.mockRestore());
}
