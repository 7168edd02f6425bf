import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ENDING_SIGNALS } from './ending-signals.ts';

/** A folder in the temporary folder that only this user can read. It is removed however the process ends, but for SIGKILL. */
export interface PrivateFolder {
  path: string;
  remove: () => void;
}

/** Makes the folder. */
export function createPrivateFolder(): PrivateFolder {
  const path = mkdtempSync(join(tmpdir(), 'proxyvault-read-'));
  const removeNow = (): void => {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Windows keeps the folder while the database in it is open. A process that ends can tell nobody.
    }
  };
  const handlers = ENDING_SIGNALS.map((signal) => {
    const end = (): void => {
      remove();
      // Without our handler the signal ends the process, whose caller learns which one it was.
      process.kill(process.pid, signal);
    };
    return [signal, end] as const;
  });
  const remove = (): void => {
    process.off('exit', removeNow);
    for (const [signal, end] of handlers) process.off(signal, end);
    removeNow();
  };
  process.on('exit', removeNow);
  for (const [signal, end] of handlers) process.on(signal, end);
  return { path, remove };
}
