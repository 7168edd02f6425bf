import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { isAbandoned, ownMark } from './owner.ts';

/** The rest of a name after `.NAME.`: the owner's mark, which version 0.1.0 did not write, and random digits. */
const REST = /^(?:(.+)\.)?[\da-f]{12}\.tmp$/;

/** A new hidden name beside `path`, for a file that gets its real name when it is finished. It names its owner. */
export function temporaryName(path: string): string {
  const random = randomBytes(6).toString('hex');
  return join(dirname(path), `.${basename(path)}.${ownMark()}.${random}.tmp`);
}

/** Removes the temporary files of `path` that processes which are gone have left. @throws the error of `node:fs`. */
export function removeAbandonedTemporaries(path: string): void {
  const prefix = `.${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    const rest = name.startsWith(prefix) ? REST.exec(name.slice(prefix.length)) : null;
    const file = join(dirname(path), name);
    if (rest && isAbandoned(file, rest[1] ?? '')) rmSync(file, { force: true });
  }
}
