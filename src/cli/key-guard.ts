import type { EncryptionService } from '../database/services/index.ts';
import { withFileErrors } from '../files/file-error.ts';
import { assertPath } from '../files/path.ts';
import { isSameFile } from '../files/same-file.ts';
import { invalidInput } from '../model/validation.ts';

/**
 * Rejects a path at which the key, its backup or its lock is or would be.
 *
 * @throws INVALID_INPUT, also for a URL.
 */
export function assertNotKeyFile(path: string, source: ReturnType<EncryptionService['source']>): void {
  assertPath(path, 'The backup');
  if (['explicit', 'environment'].includes(source.kind)) return;
  const isKey = withFileErrors(`${path} cannot be looked at`, path, () =>
    ['', '.bak', '.lock'].some((suffix) => isSameFile(path, `${source.location}${suffix}`)),
  );
  if (!isKey) return;
  throw invalidInput(
    `${path} is the place of the key file or of a file that belongs to it: give another path.`,
    { path },
  );
}
