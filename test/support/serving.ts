import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { BIN } from './command-line.ts';

interface Serving {
  child: ChildProcess;
  /** What it printed first. */
  first: string;
  /** The port of the gateway. */
  port: number;
  /** The lines that it prints on standard output. */
  lines: () => Promise<string>;
  /** Waits until standard error has these words. */
  until: (words: string) => Promise<void>;
  /** Its exit code, or the signal that ended it, and all of standard error. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

/** Starts `proxyvault serve` on a free port, with these arguments, and waits until it listens. */
export async function serving(
  { folder, env }: { folder: string; env: NodeJS.ProcessEnv },
  args: readonly string[],
  { input = '', more = {} }: { input?: string; more?: NodeJS.ProcessEnv } = {},
): Promise<Serving> {
  const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', ...args], {
    cwd: folder,
    env: { ...env, ...more },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin.end(input);
  let stderr = '';
  const stderrEnded = once(child.stderr, 'end');
  child.stderr.on('data', (piece) => {
    stderr += String(piece);
  });
  const until = async (words: string): Promise<void> => {
    while (!stderr.includes(words)) await once(child.stderr, 'data');
  };
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => (await lines.next()).value ?? '';
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    await stderrEnded;
    return { code, signal, stderr };
  });
  const first = await next();
  const [, port = ''] = /(?:127\.0\.0\.1|"port"):(\d+)/.exec(first) ?? [];
  if (port === '') throw new Error(`serve did not listen: ${JSON.stringify(await ended)}`);
  return { child, first, port: Number(port), lines: next, until, ended };
}
