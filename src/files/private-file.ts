import { closeSync, lstatSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { publishNew } from './durable.ts';
import { attempt, errnoOf, withFileErrors } from './file-error.ts';
import { assertLasting, assertPath } from './path.ts';
import { removeAbandonedTemporaries, removeTemporary, temporaryName } from './temporary.ts';

/**
 * A new file that only this user can read (0600). It gets its name when it is complete and on the disk, and never
 * replaces another file or follows a link. Dispose of it in any case: unless it was published, nothing stays.
 */
export class PrivateFile implements Disposable {
  readonly path: string;
  readonly #temporary: string;
  #descriptor: number | null = null;

  /** @throws CONFLICT if there is something at `path`; INVALID_INPUT for a URL, and for a name such as `pool.db-wal`; CANNOT_OPEN, READ_ONLY, DISK_FULL. */
  constructor(path: string) {
    assertPath(path, 'The output');
    assertLasting(path, 'The output');
    this.path = resolve(path);
    this.#temporary = temporaryName(this.path);
    this.#typed(() => {
      if (lstatSync(this.path, { throwIfNoEntry: false })) throw this.#taken();
      removeAbandonedTemporaries(this.path);
      this.#descriptor = openSync(this.#temporary, 'wx', 0o600);
    });
  }

  write(text: string): void {
    this.#typed(() => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor ?? -1, bytes, at);
      bytes.fill(0);
    });
  }

  /** Gives the complete file its name. @throws CONFLICT if another process has made one meanwhile. */
  publish(): void {
    this.#typed(() => {
      this.#close();
      publishNew(this.#temporary, this.path);
    });
  }

  [Symbol.dispose](): void {
    // Unless it was published nothing is kept of it, and why it was not is the error that counts.
    attempt(() => this.#close());
    removeTemporary(this.#temporary);
  }

  /** Once only, since after a failed close(2) the descriptor may be another file's. */
  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }

  #typed(work: () => void): void {
    withFileErrors(`The file ${this.path} cannot be written`, this.path, () => {
      try {
        work();
      } catch (error) {
        throw errnoOf(error) === 'EEXIST' ? this.#taken() : error;
      }
    });
  }

  #taken(): ProxyVaultError {
    return new ProxyVaultError(
      'CONFLICT',
      `There is a file at ${this.path} already, and it is not overwritten: choose another name, or remove it first.`,
      { details: { path: this.path } },
    );
  }
}
