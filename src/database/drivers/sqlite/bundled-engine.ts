import { ProxyVaultError } from '../../../errors.ts';

/**
 * The error for a better-sqlite3 that a bundler has put into the program's file: it looks for its binary beside its own
 * file, which no longer exists.
 */
export function bundledError(cause?: unknown): ProxyVaultError {
  return new ProxyVaultError(
    'UNSUPPORTED',
    'better-sqlite3 cannot run from a bundle, since its binary is a file of its own: mark `better-sqlite3` as external in your bundler, and install it where the bundle runs (see docs/bundling.md of proxyvault).',
    { cause },
  );
}

/**
 * A bundle of ES modules that esbuild makes with the engine in it calls a global `require`, which does not exist, while the
 * engine is loaded: the program would end with `Dynamic require of "fs" is not supported`. This module is evaluated just before
 * the engine, and until {@link stopWaiting} such a call gets the error that says what to do.
 */
const scope: { require?: unknown } = globalThis;
const mayWait = !('require' in scope);
if (mayWait) scope.require = rejectBundle;

/** Called when the engine is loaded. */
export function stopWaiting(): void {
  if (mayWait && scope.require === rejectBundle) delete scope.require;
}

function rejectBundle(): never {
  stopWaiting();
  throw bundledError();
}
