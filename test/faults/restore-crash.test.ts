import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const COPYING = fileURLToPath(new URL('../fixtures/copying.mjs', import.meta.url));
const PARALLEL = 4;

/** A pool with so many proxies on one host. If it `crashed`, some of them are only in its log. */
function makePool(path: string, host: string, count: number, { crashed = false } = {}): void {
  const making = crashed ? `${path}.alive` : path;
  const db = initDatabase({ path: making });
  db.migrations.up();
  const proxies = new ProxyRepository(db);
  for (let port = 1; port <= count; port++) proxies.create({ host, port, protocol: 'http' });
  if (crashed) copyPool(making, path);
  db.close();
}

function copyPool(from: string, to: string): void {
  for (const suffix of ['', '-wal'])
    if (existsSync(`${from}${suffix}`)) copyFileSync(`${from}${suffix}`, `${to}${suffix}`);
}

/** What a file holds, as `host count`; `none` if there is no file or it is empty. */
function contentOf(path: string): string {
  if (!existsSync(path)) return 'none';
  const db = new Database(path);
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    if (db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined) return 'none';
    const rows = db.prepare('SELECT host, count(*) AS n FROM proxies GROUP BY host').all();
    return (rows as { host: string; n: number }[]).map(({ host, n }) => `${host} ${n}`).join();
  } finally {
    db.close();
  }
}

async function restoreUntil(step: number, path: string, backup: string): Promise<string> {
  const child = spawn(process.execPath, [COPYING, 'restore', path, backup, String(step)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return output;
}

describe('a restore that is killed (SIGKILL) before each step', () => {
  for (const old of ['old.example 2', 'none']) {
    it(`leaves the whole old pool (${old}) or the whole new one`, async () => {
      const folder = temporaryFolder();
      const backup = join(folder, 'backup.db');
      makePool(backup, 'new.example', 3);
      makePool(join(folder, 'old.db'), 'old.example', 2, { crashed: true });
      const seen = new Set<string>();

      const round = async (step: number): Promise<number> => {
        const place = join(folder, String(step));
        const path = join(place, 'pool.db');
        mkdirSync(place);
        if (old !== 'none') copyPool(join(folder, 'old.db'), path);
        const calls = await restoreUntil(step, path, backup);
        const content = contentOf(path);
        seen.add(content);
        expect([step, content]).toEqual([step, expect.stringMatching(`^(${old}|new.example 3)$`)]);
        const kept = readdirSync(place).filter((name) => name.endsWith('.before-restore.backup'));
        if (old !== 'none' && content !== old)
          expect(kept.map((name) => contentOf(join(place, name)))).toEqual([old]);
        return Number(calls);
      };

      const steps = await round(0);
      expect(steps).toBeGreaterThan(3);
      for (let step = 1; step <= steps; step += PARALLEL)
        await Promise.all(
          Array.from({ length: Math.min(PARALLEL, steps - step + 1) }, (_, n) => round(step + n)),
        );
      expect(seen).toEqual(new Set([old, 'new.example 3']));
    }, 120_000);
  }
});
