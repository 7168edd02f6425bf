/** Runs the built command line inside this process, as one of many operations that a fault is tried on. */

import { type ErrorCode, ProxyVaultError } from 'proxyvault';
import { ERROR_CODES } from '../../src/errors.ts';
import type { Place } from './operations.ts';

const { main }: { main: (args: readonly string[]) => Promise<number> } = await import(
  new URL('../../dist/cli/main.js', import.meta.url).href
);

/**
 * @throws the typed error that the command says, or an Error if it says anything else: a code that is not in the set, or no
 *   error at all where it failed.
 */
export async function runCommand(
  words: readonly string[],
  { root, pool, keyFile, id }: Place,
): Promise<void> {
  Object.assign(process.env, { PROXYVAULT_DB: pool, PROXYVAULT_KEY_FILE: keyFile });
  const args = words.map((word) => word.replace('{root}', root).replace('{id}', id));
  // After `--` it would be an argument of the command that `exec` runs.
  const end = args.indexOf('--');
  args.splice(end === -1 ? args.length : end, 0, '--json');
  const { status, stdout, stderr } = await captured(() => main(args));
  const said = /"code":"([^"]+)"/.exec(stderr)?.[1];
  // What `exec` could not report is an error too, and leaves the exit code to its command.
  if (status === 0 && said === undefined) return;
  const code = said ?? reportedCode(stdout);
  if (!isCode(code)) throw new Error(`exit ${status}, and said: ${stderr}`);
  throw new ProxyVaultError(code, stderr);
}

/** `key status` and `check` fail by what they report. */
function reportedCode(stdout: string): string {
  if (!stdout.startsWith('{')) return '';
  const { problem, credentials, ok } = JSON.parse(stdout) as {
    problem?: string | null;
    credentials?: { code?: string } | null;
    ok?: boolean;
  };
  return problem ?? credentials?.code ?? (ok === false ? 'CORRUPT' : '');
}

function isCode(code: string): code is ErrorCode {
  return code in ERROR_CODES;
}

/** What `work` prints is kept from this process's own output. */
async function captured(
  work: () => Promise<number>,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const [out, err] = [process.stdout.write, process.stderr.write];
  let stdout = '';
  let stderr = '';
  process.stdout.write = (text: string | Uint8Array) => {
    stdout += String(text);
    return true;
  };
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += String(text);
    return true;
  };
  try {
    const status = await work();
    return { status, stdout, stderr };
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
    process.exitCode = 0;
  }
}
