import { readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Whether this process may read its terminal and change its mode; in the background that would stop it, whatever signals it
 * listens to. Known on Linux; true elsewhere.
 */
export function isForeground(): boolean {
  try {
    // See proc_pid_stat(5): the second field is a name in brackets, which may have spaces.
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return foreground === group || foreground === '-1';
  } catch {
    return true;
  }
}

/**
 * Stops this process, as reading its terminal would, until somebody brings it to the foreground. In between it ends by a signal,
 * which it would not while the system has it stopped for a read. Returns at once if nobody could continue it.
 */
export async function untilForeground(): Promise<void> {
  let isContinued = true;
  const onContinue = (): void => {
    isContinued = true;
  };
  process.on('SIGCONT', onContinue);
  while (isContinued && !isForeground()) {
    isContinued = false;
    process.kill(0, 'SIGTTIN');
    await setTimeout(10);
    // Signals are seen before this, and timers may be before them.
    await setImmediate();
  }
  process.off('SIGCONT', onContinue);
}
