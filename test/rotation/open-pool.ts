import { join } from 'node:path';
import {
  openVault,
  Pool,
  type PoolRequest,
  type ProxyInput,
  type Vault,
  type VaultOptions,
} from 'proxyvault';
import { onTestFinished } from 'vitest';
import { placeMigrated } from '../support/migrated-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** 2026-05-01, a Friday, at noon. */
export const START = Date.UTC(2026, 4, 1, 12);

export interface Opened {
  vault: Vault;
  path: string;
  pool: Pool;
  time: { now: number };
  ids: string[];
  heard: object[];
  /** The id of the proxy that is handed out. */
  next: (request?: PoolRequest) => string;
}

/** A vault in a file, with some proxies whose ids are a, b, c…, and a pool on it that takes its chance from `random`. */
export async function open(
  proxies: number | readonly Partial<ProxyInput>[] = 3,
  { random, ...options }: Partial<VaultOptions> & { random?: () => number } = {},
): Promise<Opened> {
  const time = { now: START };
  const heard: object[] = [];
  const path = options.path ?? join(temporaryFolder(), 'pool.db');
  placeMigrated(path);
  const vault = await openVault({
    path,
    keyFile: `${path}.key`,
    clock: () => time.now,
    durability: 'normal',
    onInvalidRow: ({ details }) => heard.push(details),
    ...options,
  });
  onTestFinished(() => vault.close());
  const list = typeof proxies === 'number' ? Array.from({ length: proxies }, () => ({})) : proxies;
  const made = vault.proxies.createMany(list.map((proxy, n) => inputOf(n, proxy)));
  const pool = random === undefined ? vault.pool : new Pool(vault.database, { random });
  if (random !== undefined) onTestFinished(() => pool.close());
  return {
    vault,
    path,
    pool,
    time,
    heard,
    ids: made.map(({ id }) => id),
    next: (request) => pool.choose(request).id,
  };
}

/** The proxy number `n`; ids are in the order of the numbers. */
export function inputOf(n: number, proxy: Partial<ProxyInput> = {}): ProxyInput {
  const id = n < 26 ? String.fromCharCode(97 + n) : `z${String(n).padStart(6, '0')}`;
  return { id, host: 'h.example', port: 1 + (n % 65_535), protocol: 'http', ...proxy };
}

/** How often it was handed out, and when for the last time, as the database has it. */
export function storedUse(vault: Vault, id: string): { handOuts: number; lastUsedAt: string | null } {
  const [row] = vault.database.query(
    'SELECT coalesce(hand_outs, total_requests) AS n, last_used_at FROM proxies WHERE id = ?',
    [id],
  );
  return { handOuts: Number(row?.n), lastUsedAt: vault.proxies.findById(id)?.lastUsedAt ?? null };
}
