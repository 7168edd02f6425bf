/** A person at a terminal, for tests of what a command asks and shows there. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { BIN } from './command-line.ts';

/** Whether script(1) can make a terminal here. */
export const HAS_TERMINAL = process.platform === 'linux' && spawnSync('script', ['-V']).status === 0;

/** What is pressed: keys, or what is done instead, such as sending a signal, or pressing one after another. */
type Answer = string | Uint8Array | ((press: (keys: string) => void) => void);

/** A command that waits for what nobody presses is ended after so long. */
const PATIENCE_MS = 30_000;

/** The command stops after each text that it shows, so that an answer comes while it still prepares to read. */
const SLOW = `const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (...args) => {
  const result = write(...args);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  return result;
};`;

interface Person {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** What the shell of the terminal runs; the command itself unless given. */
  shell?: (command: string) => string;
}

/** Runs a command on a terminal, and answers each question the moment it is shown. Fails if a question is never asked. */
export async function answer(
  args: string,
  answers: readonly (readonly [question: string, answer: Answer])[],
  { cwd, env, shell = (command) => command }: Person,
): Promise<{ status: unknown; shown: string }> {
  const command = `"${process.execPath}" "${BIN}" ${args}`;
  const slow = `--import=data:text/javascript,${encodeURIComponent(SLOW)}`;
  const child = spawn('script', ['-qec', shell(command), '/dev/null'], {
    cwd,
    env: { ...env, NODE_OPTIONS: slow },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const press = (keys: string | Uint8Array): void => void child.stdin.write(keys);
  const left = [...answers];
  let shown = '';
  let seen = 0;
  child.stdout.on('data', (piece) => {
    shown += String(piece);
    for (let [next] = left; next !== undefined; [next] = left) {
      const [question, pressed] = next;
      const at = shown.indexOf(question, seen);
      if (at < 0) return;
      seen = at + question.length;
      left.shift();
      if (typeof pressed === 'function') pressed(press);
      else press(pressed);
    }
  });
  const [status] = await once(child, 'close');
  clearTimeout(patience);
  if (left.length > 0)
    throw new Error(`Never asked: ${left.map(([question]) => question).join(', ')}\n${shown}`);
  return { status, shown };
}
