/**
 * Owns the command server of a worker (command-server.ts) and gives its answers to the test, which waits synchronously. The
 * server is a process of its own, since the locks of SQLite belong to a process.
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runAsWorker } from 'synckit';
import type { Ran, Request } from './command-server.ts';

/** A command that takes so long hangs. */
const TIMEOUT_MS = 60_000;
const SERVER = fileURLToPath(new URL('command-server.ts', import.meta.url));

let server: ReturnType<typeof start> | null = null;

function start({ cwd, env }: Request) {
  const child = fork(SERVER, { cwd, env, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  child.once('close', () => {
    server = null;
  });
  const outputs = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of outputs) stream.setEncoding('utf8');
  return { child, outputs, closed: once(child, 'close') as Promise<[number | null]> };
}

/** What the server writes until the mark; if it ends before, all of it. */
async function textUntil(mark: string, stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.endsWith(mark)) return text.slice(0, -mark.length);
  }
  return text;
}

runAsWorker(async (request: Request): Promise<Ran> => {
  server ??= start(request);
  const { child, outputs, closed } = server;
  const mark = randomUUID();
  let isHanging = false;
  const hang = setTimeout(() => {
    isHanging = true;
    child.kill('SIGKILL');
  }, TIMEOUT_MS);
  const written = Promise.all(outputs.map((stream) => textUntil(mark, stream)));
  const answered = once(child, 'message') as Promise<[number]>;
  child.send({ ...request, mark });
  // A command that ends the process is answered by its exit code; the next one gets a new server.
  const [status] = await Promise.race([answered, closed]);
  const [stdout = '', stderr = ''] = await written;
  clearTimeout(hang);
  if (isHanging)
    throw new Error(
      `\`proxyvault ${request.args.join(' ')}\` did not end in ${TIMEOUT_MS / 1000} s: ${stdout}${stderr}`,
    );
  return { status, stdout, stderr };
});
