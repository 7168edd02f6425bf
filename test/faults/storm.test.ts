import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { ProxyRepository, ProxyUsageStatsRepository } from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import { WRITER } from '../support/killing.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

const PROCESSES = 8;
const OUTCOMES = 300;

it('eight processes that record at once lose no outcome and make no error', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'pool.db');
  const db = openMigrated({ path });
  const proxies = new ProxyRepository(db);
  proxies.createMany([1, 2, 3].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })));

  const ends = Array.from({ length: PROCESSES }, async () => {
    const child = spawn(process.execPath, [WRITER, 'storm', path, join(folder, 'key'), '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: dirname(WRITER) },
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, 'close');
    return `${String(code)} ${output}`;
  });
  expect(await Promise.all(ends)).toEqual(Array(PROCESSES).fill('0 done\n'));

  // What one process does, by proxy: a tenth goes to the usage record alone.
  const expected = [0, 1, 2].map(() => ({ requests: 0, successes: 0, usage: 0 }));
  for (let n = 0; n < OUTCOMES; n++) {
    const at = expected[n % 3];
    if (!at) continue;
    at.usage++;
    if (n % 10 === 9) continue;
    at.requests++;
    if (n % 3 === 0) at.successes++;
  }
  const usage = new ProxyUsageStatsRepository(db);
  proxies.findAll().forEach((proxy, index) => {
    const { requests = 0, successes = 0, usage: used = 0 } = expected[index] ?? {};
    expect(proxy.totalRequests).toBe(requests * PROCESSES);
    expect(proxy.successRate).toBeCloseTo((100 * successes) / requests, 9);
    expect(proxy.latency).toBe(7);
    const total = usage.findByProxy(proxy.id).reduce((sum, day) => sum + day.requestCount, 0);
    expect(total).toBe(used * PROCESSES);
  });
  expect(await db.check({ deep: true })).toMatchObject({ ok: true });
}, 120_000);
