import { ProxyVaultError } from '../errors.ts';

/** What the process says to the one who called it. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** One or two lines on standard error, or with --json an object there. Standard output stays for data. */
export function reportError(error: unknown, json: boolean): void {
  const { code, message } = describe(error);
  process.stderr.write(
    json ? `${JSON.stringify({ error: { code, message } })}\n` : `proxyvault: ${message} (${code})\n`,
  );
  if (process.env.PROXYVAULT_DEBUG && error instanceof Error) console.error(error);
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
