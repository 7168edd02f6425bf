import { inspect } from 'node:util';
import { ProxyVaultError } from '../errors.ts';
import { toJson, visible, writeError } from './terminal.ts';

/** One or two lines on standard error, or with --json an object there. Standard output stays for data. */
export function reportError(error: unknown, json: boolean): void {
  const { code, message } = describe(error);
  writeError(
    json ? `${toJson({ error: { code, message } })}\n` : `proxyvault: ${visible(message)} (${code})\n`,
  );
  // Indented, so that no line of it looks like a message of ours.
  if (process.env.PROXYVAULT_DEBUG && error instanceof Error)
    writeError(`  ${inspect(error).replaceAll('\n', '\n  ')}\n`);
}

/** Shows a warning of the library or of Node, which Node itself would print as it is. */
export function reportWarning({ name, message }: Error): void {
  if (name === 'DeprecationWarning' && process.noDeprecation) return;
  writeError(`proxyvault: ${visible(message)} (${visible(name)})\n`);
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof ProxyVaultError) return { code: error.code, message: error.message };
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) {
    return { code: String(error.code), message: String(error.message) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'INTERNAL',
    message: `${message} This is a fault of proxyvault: set PROXYVAULT_DEBUG=1 to see where.`,
  };
}
