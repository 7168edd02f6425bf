import { readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Whether this process may read its terminal and change its mode. In the background the system stops a process that does, whatever
 * signals it listens to. Known on Linux; true elsewhere.
 */
export function isForeground(): boolean {
  try {
    // See proc_pid_stat(5): the second field is a name in brackets, which may have spaces.
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // -1: it has no terminal of its own. 0: another PID namespace is in the foreground.
    return [group, '-1', '0'].includes(foreground);
  } catch {
    return true;
  }
}

/**
 * Stops this process in the background, as reading the terminal would, until somebody brings it to the foreground. Each time that it
 * continues, its handlers of signals run first; they would not if the system stopped it inside a read. A process that nobody
 * can continue is not stopped.
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
    // A timer may come before the signal, but this does not.
    await setImmediate();
  }
  process.off('SIGCONT', onContinue);
}
