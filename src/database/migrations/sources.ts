import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { pathFrom } from '../../files/path.ts';
import { assertIterable, invalidInput } from '../../model/validation.ts';
import schema from '../schema.sql';
import rotationSystem from './001_proxy_rotation_system.sql';
import identity from './002_identity_expiry_and_indexes.sql';
import encryptionKeys from './003_encryption_keys.sql';
import proxyTags from './004_proxy_tags.sql';
import addressBinding from './005_address_binding.sql';
import remoteDns from './006_remote_dns.sql';
import passwordIdentity from './007_password_identity.sql';
import proxyNames from './008_proxy_names.sql';
import rotationEngine from './009_rotation_engine.sql';
import leasesAndHealth from './010_leases_and_health.sql';
import loginsBringBack from './011_logins_bring_back.sql';
import { inlineMigration } from './inline.ts';
import { checksum, normalizeText, parseMigration } from './parser.ts';
import {
  type InlineMigrations,
  type Migration,
  type MigrationFolder,
  type MigrationSource,
  OWN_NAMESPACE,
} from './types.ts';

/** The migrations of one namespace, wherever they are. */
export type AnyMigrationSource = MigrationSource | InlineMigrations | MigrationFolder;

/** Every migration file of this library: a new one is its file and a line here. */
const OWN_FILES: MigrationSource['files'] = [
  { name: '001_proxy_rotation_system', sql: rotationSystem },
  { name: '002_identity_expiry_and_indexes', sql: identity },
  { name: '003_encryption_keys', sql: encryptionKeys },
  { name: '004_proxy_tags', sql: proxyTags },
  { name: '005_address_binding', sql: addressBinding },
  { name: '006_remote_dns', sql: remoteDns },
  { name: '007_password_identity', sql: passwordIdentity },
  { name: '008_proxy_names', sql: proxyNames },
  { name: '009_rotation_engine', sql: rotationEngine },
  { name: '010_leases_and_health', sql: leasesAndHealth },
  { name: '011_logins_bring_back', sql: loginsBringBack },
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
 *
 * @param folder a path, or a `file:` URL, such as `new URL('./migrations', import.meta.url)`.
 * @throws CANNOT_OPEN if the folder cannot be read; INVALID_INPUT for another URL.
 * @example
 * const shop = migrationsFromFolder('shop', new URL('./migrations', import.meta.url));
 * const db = initDatabase({ path: './pool.db', migrations: [shop] });
 * db.migrations.up();
 */
export function migrationsFromFolder(namespace: string, folder: string | URL): MigrationSource {
  const path = pathFrom(folder, 'The folder of migrations', 'folder');
  try {
    const names = readdirSync(path).filter((name) => name.endsWith('.sql'));
    return {
      namespace,
      files: names.map((name) => ({ name, sql: readFileSync(join(path, name), 'utf8') })),
    };
  } catch (error) {
    throw new ProxyVaultError('CANNOT_OPEN', `The migrations in ${path} cannot be read: check the path.`, {
      cause: error,
    });
  }
}

/**
 * Parses all migrations, in the order they are applied: ours first, then each namespace in turn, by version.
 * @throws MIGRATION_INVALID for a malformed migration, two with one number, or a bad or repeated namespace; CANNOT_OPEN;
 *   INVALID_INPUT for a source of another shape.
 */
export function loadMigrations(given: readonly AnyMigrationSource[]): Migration[] {
  const sources = given.map((source, index) => assertSource(source, index));
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

function assertSource(source: AnyMigrationSource, index: number): AnyMigrationSource {
  const has = (member: string): boolean => typeof source === 'object' && source !== null && member in source;
  if (['files', 'migrations', 'folder'].filter(has).length !== 1 || typeof source.namespace !== 'string')
    throw invalidInput(
      `migrations[${index}] must have a namespace, and its migrations as one of migrations (in the program), folder (a path or a file: URL) and files (texts).`,
    );
  if ('files' in source) assertIterable(source.files, `migrations[${index}].files`);
  if ('migrations' in source) assertIterable(source.migrations, `migrations[${index}].migrations`);
  return source;
}

function parsed(source: AnyMigrationSource): Migration[] {
  const { namespace } = source;
  if ('migrations' in source)
    return Array.from(source.migrations, (each) => inlineMigration(namespace, each));
  const { files } = 'folder' in source ? migrationsFromFolder(namespace, source.folder) : source;
  return Array.from(files, ({ name, sql }) => parseMigration(namespace, name, sql));
}

function parseSource(source: AnyMigrationSource): Migration[] {
  const migrations = parsed(source);
  migrations.sort((a, b) => a.version - b.version);
  migrations.forEach((migration, index) => {
    const previous = migrations[index - 1];
    if (previous?.version === migration.version) {
      throw invalid(
        `${previous.name} and ${migration.name} have one number: renumber the one that was not applied yet.`,
      );
    }
    if (migration.version === 0) throw invalid(`${migration.name}.sql: numbers begin at 001.`);
  });
  return migrations;
}

function invalid(message: string): ProxyVaultError {
  return new ProxyVaultError('MIGRATION_INVALID', message);
}
