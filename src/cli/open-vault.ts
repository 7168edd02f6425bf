import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { type EncryptionOptions, EncryptionService } from '../database/services/index.ts';
import { ProxyVaultError } from '../errors.ts';
import { assertPath } from '../files/path.ts';
import {
  chooseKeySource,
  type KeySource,
  type KeySourceOptions,
  type Passphrase,
  readPassphraseFile,
} from '../keys/index.ts';
import { invalidInput } from '../model/validation.ts';
import { openVault, type VaultOptions } from '../open-vault.ts';
import { Vault } from '../vault.ts';
import type { CommonOptions } from './common-options.ts';
import { warnIfWeak } from './new-passphrase.ts';
import { note } from './note.ts';
import { ask, canAsk } from './prompt.ts';
import { assertWritable, openReadOnly, writeProblem } from './read-only-pool.ts';
import { SkippedRows } from './skipped-rows.ts';
import { text } from './terminal.ts';
import { warn } from './warn.ts';

export interface OpeningOptions {
  /** Make the pool if it is missing, and bring it up to date. Else both are errors that say what to do. */
  create?: boolean;
  /** Do not ask for the newest schema. */
  anyVersion?: boolean;
  /** Ask for the passphrase, if the key file has one: what is done needs the key. */
  unlock?: boolean;
  /** Only reads: a pool that may not be written is opened all the same. */
  reads?: boolean;
  /** How long one write may wait for a lock, and block the process; `work` tries again where that is too short. */
  busyTimeoutMs?: number;
}

/** Where the pool is, and who said so. @throws INVALID_INPUT for a URL or an empty path. */
export function locatePool({ db }: CommonOptions): { path: string; from: string } {
  const { PROXYVAULT_DB: named } = process.env;
  const from = db === undefined ? 'PROXYVAULT_DB' : '--db';
  const path = db ?? (named || undefined);
  if (path === '') throw invalidInput('--db is empty: give the path of the pool, or leave it out.');
  if (path !== undefined) {
    assertPath(path, from);
    return { path: resolve(path), from };
  }
  return { path: join(envPaths('proxyvault', { suffix: '' }).data, 'proxyvault.db'), from: 'the default' };
}

/**
 * Opens the pool, runs `work`, and closes it, whatever happens.
 *
 * @throws CANNOT_OPEN if there is no pool, MIGRATION_PENDING if it is older than this program, READ_ONLY if it may not be
 *   written, unless `reads`.
 */
export async function withVault<T>(
  options: CommonOptions,
  work: (vault: Vault) => T | Promise<T>,
  {
    create = false,
    anyVersion = false,
    unlock = false,
    reads = false,
    // A person rather waits for a long import of another process than starts again.
    busyTimeoutMs = 30_000,
  }: OpeningOptions = {},
): Promise<T> {
  const { path, from } = locatePool(options);
  if (!create && !existsSync(path)) {
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      `There is no pool at ${path} (${from}): make one with \`proxyvault init\` or \`proxyvault import FILE\`, or name another with --db.`,
    );
  }
  note(options, text`Pool: ${path} (${from})\n`);
  // Before a pool is made, because it rejects what is no path.
  const keySource = keySourceOf(options);
  const skipped = new SkippedRows();
  const onKeyCreated = sayWhereKeyIs(options);
  const opening: VaultOptions = {
    path,
    busyTimeoutMs,
    migrationsTable: process.env.PROXYVAULT_MIGRATIONS_TABLE || undefined,
    onInvalidRow: (error) => skipped.add(error),
    allowOthersToWrite: process.env.PROXYVAULT_ALLOW_OTHERS_TO_WRITE === '1',
    keySource,
    onKeyCreated,
    migrate: create,
    // A key file that permissions protect is read, or made, when it is needed. Nobody is asked for a pool that is too old.
    unlock: false,
  };
  if (!reads) assertWritable(path);
  await using opened = await (reads && writeProblem(path) !== null
    ? openReadOnly(opening)
    : openVault(opening));
  const { database } = opened;
  if (!anyVersion && database.migrations.plan().length > 0) {
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      `The pool at ${path} is older than this program: run \`proxyvault migrate up\`.`,
    );
  }
  const isAsked = unlock && keySource.asynchronous?.() === true;
  if (isAsked && keySource.protection?.() === null) warnIfWeak(options.json, passphraseFileOf(options));
  using keys = isAsked ? await openKeys(opened, { keySource, onKeyCreated }) : null;
  const vault = keys === null ? opened : new Vault(database, keys);
  try {
    return await work(vault);
  } finally {
    skipped.report(options.json ?? false);
    // What closes the pool does not know of this one.
    if (vault !== opened && database.open) vault.pool.close();
  }
}

/** The key of an open pool, which somebody is asked for. */
function openKeys(
  { database }: Vault,
  options: Pick<EncryptionOptions, 'keySource' | 'onKeyCreated'>,
): Promise<EncryptionService> {
  return EncryptionService.open({ ...options, database, create: !database.readonly, resumeRotation: false });
}

/** The first credential makes a key file: whoever does not know of it cannot back it up. */
function sayWhereKeyIs({ json }: CommonOptions): EncryptionOptions['onKeyCreated'] {
  return ({ kind, location, protection }) =>
    warn(
      json,
      'KEY_CREATED',
      'A new key was made. Without it the stored usernames and passwords are lost: back it up apart from the pool, and run `proxyvault key recovery-code --output FILE`.',
      {
        name: 'keys',
        items: [{ kind, location, protection }],
        describe: () => `${location} (protected by ${protection ?? kind})`,
      },
    );
}

/** The passphrase file that the options or the environment name. An empty variable names none. */
export function passphraseFileOf({ passphraseFile }: CommonOptions): string | undefined {
  return passphraseFile ?? (process.env.PROXYVAULT_PASSPHRASE_FILE || undefined);
}

/** The key that the options and the environment name; a passphrase is asked for only when the key file needs it. */
export function keySourceOf(
  options: CommonOptions,
  choose: (options: KeySourceOptions) => KeySource = chooseKeySource,
): KeySource {
  const { keyFile, trustKeyFile } = options;
  const passphraseFile = passphraseFileOf(options);
  return choose({
    keyFile,
    passphrase: passphraseOf(passphraseFile),
    trustKeyFile,
    // One that somebody could type is no wish to have one.
    protection: passphraseFile === undefined ? 'permissions' : 'passphrase',
  });
}

/** What gives the passphrase: the file, or a prompt where somebody can answer it. */
function passphraseOf(file: string | undefined): Passphrase | undefined {
  if (file !== undefined) return () => readPassphraseFile(file);
  if (!canAsk()) return undefined;
  return () => ask('Passphrase of the key:');
}
