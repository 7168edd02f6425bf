/**
 * Runs one command line after another in one process, as command-line.worker.ts asks for them. Each finds what a process of
 * its own would find: its folder, environment, standard input and exit code. What is printed goes to the real standard
 * streams; the mark of the request ends it there.
 */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What to run, and in what. */
export interface Request {
  args: readonly string[];
  input: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** How it ended. */
export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

const { main, watchProcess }: typeof import('../../src/cli/main.ts') = await import(
  new URL('../../dist/cli/main.js', import.meta.url).href
);

async function run({ args, input, cwd, env }: Request): Promise<number> {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true });
  process.exitCode = undefined;
  const open = process.getActiveResourcesInfo().length;
  const status = await main(args);
  process.exitCode = undefined;
  // A process ends when nothing is open any more, and has then printed its warnings too.
  do await nextTurn();
  while (process.getActiveResourcesInfo().length > open);
  return status;
}

watchProcess([]);
process.on('message', async ({ mark, ...request }: Request & { mark: string }) => {
  const status = await run(request);
  process.stdout.write(mark);
  process.stderr.write(mark);
  process.send?.(status);
});
