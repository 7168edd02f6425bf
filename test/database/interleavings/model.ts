/** What a pool holds, as a program sees it through the public API, and what may not be wrong in any pool. */
import { existsSync } from 'node:fs';
import {
  type DatabaseManager,
  EncryptionService,
  type ProxyConfig,
  type ProxyInput,
  ProxyVaultError,
} from 'proxyvault';
import type { Login } from 'proxyvault/database';
import type { DataKeyStatus } from 'proxyvault/database/services';
import { expect } from 'vitest';
import { KEY_NAMES, type KeyName, Party, sourceNamed } from './party.ts';
import type { Outcome } from './serial.ts';

export interface ModelProxy {
  address: string;
  login: Login | null;
  region: string | null;
  status: ProxyConfig['status'];
  requests: number;
  successes: number;
  tags: string[];
}

export interface Model {
  /** By name. */
  proxies: Record<string, ModelProxy>;
  /** The proxy's name by domain. */
  sticky: Record<string, string>;
  /** The names of the rules in the order they are tried. */
  rules: string[];
  config: { strategy: string; intervalMs: number | null; failureThreshold: number | null; options: object };
  /** The proxy that was handed out last. */
  turn: string | null;
  /** The kind of key source that the pool asks for. */
  pinned: string;
  /** The key source that opens it. */
  key: KeyName;
  /** Whether there is a key file beside it. */
  hasFile: boolean;
}

/** What a pool itself says. */
export type Content = Omit<Model, 'key' | 'hasFile'>;

/** All of it, from one snapshot. */
export function read(party: Party): Content {
  return party.db.driver.snapshot(() => {
    const proxies = party.proxies.findAll();
    const nameOf = new Map(proxies.map(({ id, name }) => [id, name]));
    const { updatedAt: _, maxRequestsPerProxy: __, ...config } = party.config.get();
    const turn = party.db.driver.first(`SELECT proxy_id FROM rotation_turns WHERE view = ''`, {}, (row) =>
      String(row.proxy_id),
    );
    return {
      proxies: Object.fromEntries(proxies.map((proxy) => [proxy.name, describe(party, proxy)]).sort()),
      sticky: Object.fromEntries(
        party.sticky.getAll().map(({ domain, proxyId }) => [domain, nameOf.get(proxyId) ?? 'nobody']),
      ),
      rules: party.rules.findAll().map(({ name }) => name),
      config,
      pinned: party.db.driver.one('SELECT key_source FROM encryption_config', {}, (row) =>
        String(row?.key_source),
      ),
      turn: turn === null ? null : (nameOf.get(turn) ?? 'somebody who is gone'),
    };
  });
}

function describe(party: Party, proxy: ProxyConfig): ModelProxy {
  const { requestCount, successCount } = party.usage.totals({ proxyId: proxy.id });
  const counted = Math.round((proxy.successRate * proxy.totalRequests) / 100);
  // The pool counts requests twice, by day and for all time.
  if (requestCount !== proxy.totalRequests || (requestCount > 0 && successCount !== counted))
    throw new Error(`The sums of ${proxy.name} are ${requestCount} and ${proxy.totalRequests}`);
  return {
    address: `${proxy.protocol}://${proxy.host}:${proxy.port}`,
    login: party.credentials.reveal(proxy),
    region: proxy.region,
    status: proxy.status,
    requests: proxy.totalRequests,
    successes: requestCount === 0 ? 0 : counted,
    tags: party.tags.findByProxy(proxy.id),
  };
}

/** The model, and the source whose key opens the pool, as a new process finds them. */
export function readAsNewProcess(db: DatabaseManager): { model: Model; party: Party } {
  for (const key of KEY_NAMES) {
    const party = new Party(db, key);
    const isOpen = party.encryption.status().keys.every(({ problem }) => problem === null);
    if (isOpen) return { model: { ...read(party), key, hasFile: existsSync(`${db.path}.key`) }, party };
  }
  throw new Error('No key opens all keys of the pool');
}

/**
 * Whatever happened, a pool is sound: its file and its references; one key is the primary, and every credential has its key; a
 * new process continues what was interrupted; each identity belongs to its login.
 */
export async function assertSound(party: Party, { key, hasFile: _, ...model }: Model): Promise<void> {
  const { driver } = party.db;
  const rows = (sql: string): unknown[] => driver.all(sql, {}, (row) => ({ ...row }));
  expect(rows('SELECT * FROM pragma_quick_check')).toEqual([{ quick_check: 'ok' }]);
  expect(rows('SELECT * FROM pragma_foreign_key_check')).toEqual([]);
  expect(rows(`SELECT key_id FROM encryption_keys WHERE state = 'primary'`)).toHaveLength(1);
  expect(
    rows(
      'SELECT proxy_id FROM encrypted_credentials WHERE key_id NOT IN (SELECT key_id FROM encryption_keys)',
    ),
  ).toEqual([]);
  if (rows('SELECT id FROM encryption_config WHERE rotation_key_id IS NOT NULL').length > 0) {
    const opened = await EncryptionService.open({
      keySource: sourceNamed(key, party.db.path),
      database: party.db,
    });
    expect(opened.status()).toMatchObject({ rotation: null, problem: null, direct: [] });
    expect(read(party)).toEqual(model);
  }
  // A key that nothing needs does not stay.
  expect(party.encryption.status().keys).toSatisfy((keys: readonly DataKeyStatus[]) =>
    keys.every(({ state, rows }) => state === 'primary' || rows > 0),
  );
  // The whole pool as a list is the pool: the fingerprints are those of the logins.
  const list: ProxyInput[] = party.proxies.findAll().map(({ host, port, protocol, name }) => {
    const credentials = model.proxies[name]?.login ?? undefined;
    return credentials ? { host, port, protocol, credentials } : { host, port, protocol };
  });
  expect(party.proxies.importMany(list)).toEqual({ added: 0, updated: 0, unchanged: list.length });
}

/** @throws what is no typed error. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof ProxyVaultError)) throw error;
  return { code: error.code };
}
