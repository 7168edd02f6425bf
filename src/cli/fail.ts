import { inspect } from 'node:util';
import { ProxyVaultError } from '../errors.ts';
import { fileError } from '../files/file-error.ts';
import { firstThrown } from '../first-thrown.ts';
import { lines, Text, text, toJson, writeError } from './terminal.ts';
import { withoutLogins } from './without-logins.ts';

/**
 * A line on standard error, or with --json an object there. Standard output stays for data.
 *
 * @param args the command line: an id that is not found may be a proxy with a login, and is masked.
 */
export function reportError(error: unknown, json: boolean, args: readonly string[] = []): void {
  const described = describe(firstThrown(error));
  const { code } = described;
  const shown = (text: string): string => (code === 'NOT_FOUND' ? withoutLogins(text, args) : text);
  const message = shown(described.message);
  const origin = process.env.PROXYVAULT_DEBUG && error instanceof Error ? shown(inspect(error)) : undefined;
  if (json) {
    writeError(Text.ours(`${toJson({ error: { code, message, origin } })}\n`));
    return;
  }
  writeError(text`proxyvault: ${message} (${code})\n`);
  // Indented, so that no line of it looks like a message of ours.
  if (origin !== undefined) writeError(text`${lines(origin.split('\n').map((line) => text`  ${line}`))}\n`);
}

/** The code is of the closed set, or USAGE or INTERNAL, which only the command line says. */
function describe(error: unknown): { code: string; message: string } {
  if (isUsage(error)) return { code: 'USAGE', message: error.message };
  const typed = fileError(error, whatFailed(error), '');
  if (typed instanceof ProxyVaultError) return { code: typed.code, message: typed.message };
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'INTERNAL',
    message: `${/[.!?]$/.test(message) ? message : `${message}.`} This is a fault of proxyvault: set PROXYVAULT_DEBUG=1 to see where.`,
  };
}

function isUsage(error: unknown): error is { message: string } {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'USAGE';
}

/** The beginning of the sentence about an error of the operating system that nobody else has named. */
function whatFailed(error: unknown): string {
  const path = error instanceof Error && 'path' in error ? String(error.path) : 'A file';
  return `${path} cannot be used`;
}
