import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type {
  DatabaseManager,
  DomainProxyMapping,
  Login,
  ProxyConfig,
  ProxyUsage,
  RotationConfig,
  RotationEvent,
  RotationRule,
} from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { KeySourceOptions } from 'proxyvault/keys';
import { onTestFinished } from 'vitest';
import type { ExportFormat, ListFormat } from '../../src/lists/index.ts';
import { openDatabase, temporaryFolder } from './temporary.ts';

/** What `scripts/golden.js` says of one pool. Its `keyFile` is a path inside the set. */
export interface GoldenPool {
  name: string;
  kind: string;
  keyFile?: string;
  passphrase?: string;
  environmentKey?: string;
  recoveryCode: string;
  schemaVersion: number;
  databaseId: string;
  keys: { keyId: string; kekId: string; state: string; rows: number }[];
  rotation: { keyId: string; startedAt: string } | null;
  /** By the id of the proxy. */
  logins: Record<string, Login>;
  fingerprints: Record<string, { username: string; password?: string }>;
}

/** The pool that has rows of every kind. */
export interface FullPool extends GoldenPool {
  ledger: { name: string; checksum: string }[];
  rows: Record<string, number>;
  proxies: ProxyConfig[];
  tags: Record<string, string[]>;
  config: RotationConfig;
  rules: RotationRule[];
  stickies: DomainProxyMapping[];
  /** The domain of the mapping that answers for a domain. */
  stickyAnswers: Record<string, string>;
  events: RotationEvent[];
  usage: Record<string, ProxyUsage[]>;
}

/** What one version left on a user's disk. */
export interface GoldenSet {
  name: string;
  now: number;
  lists: { file: string; format: ListFormat; tag: string; ids: string[] }[];
  exports: {
    file: string;
    format: ExportFormat;
    layout?: string;
    reveal: boolean;
    leftOut: { id: string; part: string | null }[];
  }[];
  pools: GoldenPool[];
}

const FOLDER = fileURLToPath(new URL('../fixtures/golden/', import.meta.url));

/** Every set there is. */
export const GOLDEN_SETS: readonly GoldenSet[] = readdirSync(FOLDER)
  .sort()
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name, 'manifest.json'), 'utf8')) as GoldenSet);

/** Every pool of every set, with the name that a test has. */
export const GOLDEN_POOLS: readonly [name: string, set: GoldenSet, pool: GoldenPool][] = GOLDEN_SETS.flatMap(
  (set) =>
    set.pools.map((pool) => [`${set.name}/${pool.name}`, set, pool] as [string, GoldenSet, GoldenPool]),
);

export function fullPoolOf({ name, pools }: GoldenSet): FullPool {
  const full = pools.find((pool) => pool.name === 'full');
  if (full === undefined) throw new Error(`The set ${name} has no pool with rows of every kind.`);
  return full as FullPool;
}

/** The text of a file of the set. */
export function textOf({ name }: GoldenSet, file: string): string {
  return readFileSync(join(FOLDER, name, file), 'utf8');
}

/** Puts a pool and its key file into a folder; gives their paths. */
export function unpack(
  set: GoldenSet,
  { name, keyFile }: GoldenPool,
  { folder = temporaryFolder(), file = 'pool.db' } = {},
): { path: string; keyFile: string } {
  const path = join(folder, file);
  writeFileSync(path, gunzipSync(readFileSync(join(FOLDER, set.name, name, `${file}.gz`))), { mode: 0o600 });
  const key = join(folder, 'key');
  // git does not keep a mode of 0600.
  if (keyFile !== undefined)
    writeFileSync(key, readFileSync(join(FOLDER, set.name, keyFile)), { mode: 0o600 });
  return { path, keyFile: key };
}

/** A copy of a pool as its user had it, not migrated yet, at the time after its last change. */
export function openGolden(set: GoldenSet, pool: GoldenPool): { db: DatabaseManager; keyFile: string } {
  const { path, keyFile } = unpack(set, pool);
  return { db: openAt(set, path), keyFile };
}

/** Opened so that the tests of many sets are fast: what survives a power cut is tested elsewhere. */
export function openAt({ now }: GoldenSet, path: string): DatabaseManager {
  return openDatabase({ path, clock: () => now, durability: 'normal', migrationBackups: 0 });
}

/** What its user gives to open the keys. */
export function keyOptionsOf(
  { keyFile, passphrase, environmentKey, name }: GoldenPool,
  path: string,
): KeySourceOptions {
  if (environmentKey !== undefined) return { env: { PROXYVAULT_KEY: environmentKey } };
  if (keyFile === undefined) throw new Error(`${name} has no key.`);
  if (name === 'safe-storage') return { keyFile: path, safeStorage: fakeSafeStorage() };
  return { keyFile: path, ...(passphrase === undefined ? {} : { passphrase }) };
}

/** A migrated copy with its keys open. */
export async function openWithKeys(
  set: GoldenSet,
  pool: GoldenPool,
  options: { resumeRotation?: boolean; passphrase?: string } = {},
): Promise<{
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  keyFile: string;
}> {
  const { db, keyFile } = openGolden(set, pool);
  db.migrations.up();
  const encryption = await EncryptionService.open({
    ...keyOptionsOf(pool, keyFile),
    database: db,
    ...options,
  });
  onTestFinished(() => encryption.destroy());
  return { db, encryption, proxies: new ProxyRepository(db, encryption), keyFile };
}

/** As in scripts/golden/key-sources.js: the bytes of the text, each with all bits turned. */
function fakeSafeStorage(): NonNullable<KeySourceOptions['safeStorage']> {
  const turn = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));
  return {
    isAsyncEncryptionAvailable: async () => true,
    getSelectedStorageBackend: () => 'gnome_libsecret',
    encryptStringAsync: async (text) => turn(Buffer.from(text)),
    decryptStringAsync: async (bytes) => ({ shouldReEncrypt: false, result: turn(bytes).toString() }),
  };
}
