import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

export interface OtherProcess {
  child: ChildProcess;
  /** The next line that it prints. */
  line: () => Promise<string>;
  /** All lines that it still prints. */
  rest: () => Promise<string[]>;
  /** Gives its exit code, or the signal that ended it. */
  ended: () => Promise<number | string>;
}

/** Another process that runs a script, in which `openVault` is imported from the package. */
export function inOtherProcess(script: string): OtherProcess {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', `import { openVault } from 'proxyvault';\n${script}`],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exit = once(child, 'exit');
  return {
    child,
    line: async () => String((await lines.next()).value),
    rest: async () => {
      const all: string[] = [];
      for (let next = await lines.next(); !next.done; next = await lines.next()) all.push(next.value);
      return all;
    },
    ended: async () => {
      const [code, signal]: unknown[] = await exit;
      return (code ?? signal) as number | string;
    },
  };
}
