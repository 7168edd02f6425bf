import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { assertPath } from '../../files/path.ts';
import schema from '../schema.sql';
import rotationSystem from './001_proxy_rotation_system.sql';
import identity from './002_identity_expiry_and_indexes.sql';
import encryptionKeys from './003_encryption_keys.sql';
import proxyTags from './004_proxy_tags.sql';
import addressBinding from './005_address_binding.sql';
import remoteDns from './006_remote_dns.sql';
import passwordIdentity from './007_password_identity.sql';
import { checksum, normalizeText, parseMigration } from './parser.ts';
import { type Migration, type MigrationSource, OWN_NAMESPACE } from './types.ts';

/** Every migration file of this library: a new one is its file and a line here. */
const OWN_FILES: MigrationSource['files'] = [
  { name: '001_proxy_rotation_system', sql: rotationSystem },
  { name: '002_identity_expiry_and_indexes', sql: identity },
  { name: '003_encryption_keys', sql: encryptionKeys },
  { name: '004_proxy_tags', sql: proxyTags },
  { name: '005_address_binding', sql: addressBinding },
  { name: '006_remote_dns', sql: remoteDns },
  { name: '007_password_identity', sql: passwordIdentity },
];

/** They are constant, so they are parsed once a process. */
let ownMigrations: readonly Migration[] | null = null;

/** The base schema, which stands before the first migration and is never undone. */
export const BASE: Migration = {
  namespace: OWN_NAMESPACE,
  version: 0,
  name: '000_schema',
  description: 'Base schema',
  up: normalizeText(schema),
  down: null,
  firstLine: { up: 1, down: 1 },
  checksum: checksum(schema),
};

/**
 * Reads an application's migration files from a folder, for `initDatabase({ migrations: [...] })`.
 * @throws CANNOT_OPEN if the folder cannot be read; INVALID_INPUT for a URL.
 * @example
 * const migrations = [migrationsFromFolder('crawler', './migrations')];
 * const vault = await openVault({ path: './pool.db', migrations });
 */
export function migrationsFromFolder(namespace: string, folder: string): MigrationSource {
  assertPath(folder, 'The folder of migrations', 'folder');
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
    return {
      namespace,
      files: names.map((name) => ({ name, sql: readFileSync(join(folder, name), 'utf8') })),
    };
  } catch (error) {
    throw new ProxyVaultError('CANNOT_OPEN', `The migrations in ${folder} cannot be read: check the path.`, {
      cause: error,
    });
  }
}

/**
 * Parses all migrations, in the order they are applied: ours first, then each namespace in turn, by version.
 * @throws MIGRATION_INVALID for a malformed file, two files with one number, or a bad or repeated namespace.
 */
export function loadMigrations(sources: readonly MigrationSource[]): Migration[] {
  const namespaces = [OWN_NAMESPACE, ...sources.map((source) => source.namespace)];
  namespaces.forEach((namespace, index) => {
    if (!/^[a-z][a-z0-9_-]{0,63}$/.test(namespace)) {
      throw invalid(
        `The namespace ${JSON.stringify(namespace)} must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter.`,
      );
    }
    if (namespaces.indexOf(namespace) !== index)
      throw invalid(`The namespace ${namespace} is given twice: choose another.`);
  });
  ownMigrations ??= parseSource({ namespace: OWN_NAMESPACE, files: OWN_FILES });
  return [...ownMigrations, ...sources.flatMap(parseSource)];
}

function parseSource({ namespace, files }: MigrationSource): Migration[] {
  const migrations = files.map(({ name, sql }) => parseMigration(namespace, name, sql));
  migrations.sort((a, b) => a.version - b.version);
  migrations.forEach((migration, index) => {
    const previous = migrations[index - 1];
    if (previous?.version === migration.version) {
      throw invalid(
        `${previous.name}.sql and ${migration.name}.sql have one number: renumber the one that was not applied yet.`,
      );
    }
    if (migration.version === 0) throw invalid(`${migration.name}.sql: numbers begin at 001.`);
  });
  return migrations;
}

function invalid(message: string): ProxyVaultError {
  return new ProxyVaultError('MIGRATION_INVALID', message);
}
