import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { attempt, withFileErrors } from './file-error.ts';

const BATCH = 1000;
const NAME = 'spool';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Where the system lets it, the file is removed as soon as it is open, so that a crash leaves nothing. */
const REMOVED_AT_ONCE = process.platform !== 'win32';

/**
 * Holds values until they are asked for, in memory that does not grow with them: each full batch goes to a temporary file
 * (0600), encrypted under a key that is only in this process, and so worthless once it has ended.
 */
export class Spool<T> implements Disposable {
  count = 0;
  readonly #key = randomBytes(32);
  readonly #lengths: number[] = [];
  #batch: T[] = [];
  #file: { folder: string; descriptor: number } | null = null;

  push(value: T): void {
    this.#batch.push(value);
    this.count++;
    if (this.#batch.length === BATCH) this.#writeBatch();
  }

  /** All values, in order. */
  *read(): Generator<T, void, undefined> {
    let position = 0;
    for (const length of this.#lengths) {
      yield* this.#readBatch(position, length);
      position += length;
    }
    yield* this.#batch;
  }

  [Symbol.dispose](): void {
    const file = this.#file;
    this.#file = null;
    if (!file) return;
    // What an import has stored stays stored, and the error that it ends with is not hidden: nobody can read the file now.
    attempt(() => closeSync(file.descriptor));
    if (!REMOVED_AT_ONCE) attempt(() => removeTemporary(file.folder));
  }

  #writeBatch(): void {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv, { authTagLength: TAG_BYTES });
    const ciphertext = Buffer.concat([cipher.update(JSON.stringify(this.#batch), 'utf8'), cipher.final()]);
    const sealed = Buffer.concat([iv, cipher.getAuthTag(), ciphertext]);
    withFileErrors('The temporary file of the import cannot be written', tmpdir(), () => {
      this.#file ??= openTemporary();
      for (let written = 0; written < sealed.length; )
        written += writeSync(this.#file.descriptor, sealed, written);
    });
    this.#lengths.push(sealed.length);
    this.#batch = [];
  }

  #readBatch(position: number, length: number): T[] {
    const sealed = Buffer.alloc(length);
    withFileErrors('The temporary file of the import cannot be read', tmpdir(), () => {
      for (let read = 0; read < length; ) {
        const count = readSync(this.#file?.descriptor ?? -1, sealed, read, length - read, position + read);
        if (count === 0) throw damagedError('cut short');
        read += count;
      }
    });
    const iv = sealed.subarray(0, IV_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, iv, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const beginning = decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES));
    try {
      return JSON.parse(Buffer.concat([beginning, decipher.final()]).toString('utf8')) as T[];
    } catch (error) {
      throw damagedError('changed', error);
    }
  }
}

function damagedError(what: string, cause?: unknown): ProxyVaultError {
  return new ProxyVaultError(
    'IO',
    `The temporary file of the import was ${what}: check the disk, and import again.`,
    { cause },
  );
}

/** A folder of a random name, 0700, and a file in it that must not exist yet: others can write the folder above them. */
function openTemporary(): { folder: string; descriptor: number } {
  const folder = mkdtempSync(join(tmpdir(), 'proxyvault-import-'));
  let descriptor: number | null = null;
  try {
    descriptor = openSync(join(folder, NAME), 'wx+', 0o600);
    if (REMOVED_AT_ONCE) removeTemporary(folder);
    return { folder, descriptor };
  } catch (error) {
    discard(folder, descriptor);
    throw error;
  }
}

/** Removes what was made, and hides no earlier error if that fails too. It needs no file descriptor: there may be none left. */
function discard(folder: string, descriptor: number | null): void {
  if (descriptor !== null) {
    attempt(() => closeSync(descriptor));
    attempt(() => unlinkSync(join(folder, NAME)));
  }
  attempt(() => rmdirSync(folder));
}

/** Removes what was made and nothing else: whoever owns the folder above could put another one in its place. */
function removeTemporary(folder: string): void {
  unlinkSync(join(folder, NAME));
  rmdirSync(folder);
}
