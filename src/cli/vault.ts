import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import envPaths from 'env-paths';

import { type DatabaseManager, initDatabase } from '../database/index.ts';
import {
  chooseKeySource,
  EncryptionService,
  type KeySource,
  type KeySourceOptions,
  type Passphrase,
  readPassphraseFile,
} from '../database/services/index.ts';
import { ProxyVaultError } from '../errors.ts';
import { ask, canAsk } from './prompt.ts';
import { visible, writeError } from './terminal.ts';

/** What every command takes. */
export interface VaultOptions {
  db?: string;
  keyFile?: string;
  passphraseFile?: string;
  json?: boolean;
}

/** An open pool with its key. */
export interface Vault {
  db: DatabaseManager;
  encryption: EncryptionService;
}

export interface OpenVaultOptions {
  /** Make the pool if it is missing, and bring it up to date. Else both are errors that say what to do. */
  create?: boolean;
  /** Do not ask for the newest schema. */
  anyVersion?: boolean;
  /** Ask for the passphrase, if the key file has one: what is done needs the key. */
  unlock?: boolean;
  /** Do not say which pool it is. */
  quiet?: boolean;
}

/** Adds --db, --key-file and --json, and an example to --help. */
export function withVaultOptions(command: Command, example: string): Command {
  return command
    .addOption(new Option('--db <file>', 'the pool (else PROXYVAULT_DB, else your data folder)'))
    .addOption(
      new Option(
        '--key-file <file>',
        'the key (else PROXYVAULT_KEY or PROXYVAULT_KEY_FILE, else your configuration folder)',
      ),
    )
    .addOption(
      new Option(
        '--passphrase-file <file>',
        'the passphrase of a protected key (else PROXYVAULT_PASSPHRASE_FILE, else it is asked for)',
      ),
    )
    .addOption(new Option('--json', 'print JSON for a program'))
    .addHelpText('after', `\nExample:\n  $ ${example}`);
}

/** Where the pool is, and who said so. */
function locatePool({ db }: VaultOptions): { path: string; from: string } {
  if (db !== undefined) return { path: resolve(db), from: '--db' };
  if (process.env.PROXYVAULT_DB) return { path: resolve(process.env.PROXYVAULT_DB), from: 'PROXYVAULT_DB' };
  return { path: join(envPaths('proxyvault', { suffix: '' }).data, 'proxyvault.db'), from: 'the default' };
}

/**
 * Opens the pool, runs `work`, and closes it, whatever happens.
 *
 * @throws CANNOT_OPEN if there is none, MIGRATION_PENDING if it is older than this program.
 */
export async function withVault<T>(
  options: VaultOptions,
  work: (vault: Vault) => T | Promise<T>,
  { create = false, anyVersion = false, unlock = false, quiet = false }: OpenVaultOptions = {},
): Promise<T> {
  const { path, from } = locatePool(options);
  if (!create && !existsSync(path)) {
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      `There is no pool at ${path} (${from}): make one with \`proxyvault init\` or \`proxyvault import FILE\`, or name another with --db.`,
    );
  }
  if (!options.json && !quiet) writeError(`Pool: ${visible(path)} (${from})\n`);
  // A person rather waits for a long import of another process than starts anew.
  await using db = initDatabase({ path, busyTimeoutMs: 30_000 });
  if (create) db.migrations.up();
  if (!anyVersion && db.migrations.plan().length > 0) {
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      `The pool at ${path} is older than this program: run \`proxyvault migrate up\`.`,
    );
  }
  const keySource = keySourceOf(options);
  // A key file that permissions protect is read, or made, when it is needed.
  const encryption =
    unlock && keySource.asynchronous?.()
      ? await EncryptionService.open({ keySource, database: db, resumeRotation: false })
      : new EncryptionService({ keySource, database: db });
  return await work({ db, encryption });
}

/** The key that the options and the environment name; a passphrase is asked for only when the key file needs it. */
export function keySourceOf(
  options: VaultOptions,
  choose: (options: KeySourceOptions) => KeySource = chooseKeySource,
): KeySource {
  const { keyFile, passphraseFile } = options;
  const passphrase = passphraseOf(passphraseFile);
  return choose({
    keyFile,
    passphrase,
    // One that somebody could type is no wish to have one.
    protection:
      passphraseFile === undefined && process.env.PROXYVAULT_PASSPHRASE_FILE === undefined
        ? 'permissions'
        : 'passphrase',
  });
}

/** What gives the passphrase: the file, or a prompt where somebody can answer it. */
function passphraseOf(file: string | undefined): Passphrase | undefined {
  if (file !== undefined) return () => readPassphraseFile(file);
  if (process.env.PROXYVAULT_PASSPHRASE_FILE !== undefined || !canAsk()) return undefined;
  return () => ask('Passphrase of the key:');
}
