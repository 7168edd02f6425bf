import { createHash } from 'node:crypto';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  initDatabase,
  Pool,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault';
import type { EncryptedData, SqlLogger } from 'proxyvault/database';
import { type KeySource, keyringFile } from 'proxyvault/keys';
import { time } from '../../support/virtual-time.ts';

/** The key sources of the stories, by name: what a program hands over, so that no file and no passphrase takes time. */
export const KEY_NAMES = ['first', 'second', 'third', 'file'] as const;
export type KeyName = (typeof KEY_NAMES)[number];

function keyNamed(name: KeyName): Buffer {
  return createHash('sha256').update(name).digest();
}

/**
 * The sources of the stories. All but the file have one key only, so that what a move replaces is gone from them. The first two
 * are given by the program, and nothing but the key tells them apart; the others are of kinds that are pinned in the pool.
 */
export function sourceNamed(name: KeyName, pool: string): KeySource {
  if (name === 'file') return keyringFile(`${pool}.key`);
  const kind = name === 'third' ? 'vault' : 'explicit';
  return { kind, location: name, read: () => keyNamed(name) };
}

/** One process that has the pool open: a connection, a service and the repositories of its own. */
export class Party implements AsyncDisposable {
  readonly db: DatabaseManager;
  readonly encryption: EncryptionService;
  readonly proxies: ProxyRepository;
  readonly credentials: EncryptedCredentialsRepository;
  readonly tags: ProxyTagsRepository;
  readonly usage: ProxyUsageStatsRepository;
  readonly sticky: StickySessionRepository;
  readonly rules: RotationRulesRepository;
  readonly config: RotationConfigRepository;
  readonly pool: Pool;
  /** The recovery code of the template. */
  code = '';
  /** What it has encrypted and not stored yet. */
  early: EncryptedData | null = null;

  constructor(pool: string | DatabaseManager, key: KeyName, verbose?: SqlLogger) {
    this.db = typeof pool === 'string' ? openPool(pool, verbose) : pool;
    this.encryption = new EncryptionService({ keySource: sourceNamed(key, this.db.path), database: this.db });
    this.proxies = new ProxyRepository(this.db, this.encryption);
    this.credentials = new EncryptedCredentialsRepository(this.db, this.encryption);
    this.tags = new ProxyTagsRepository(this.db);
    this.usage = new ProxyUsageStatsRepository(this.db);
    this.sticky = new StickySessionRepository(this.db);
    this.rules = new RotationRulesRepository(this.db);
    this.config = new RotationConfigRepository(this.db);
    this.pool = new Pool(this.db, { random: () => 0.5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db[Symbol.asyncDispose]();
  }
}

function openPool(path: string, verbose: SqlLogger | undefined): DatabaseManager {
  const clock = (): number => Date.UTC(2030, 0, 1, 12) + time.now();
  return initDatabase({ path, clock, verbose, busyTimeoutMs: 0, durability: 'normal', migrationBackups: 0 });
}
