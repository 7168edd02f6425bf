import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openVault } from 'proxyvault';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

it('a hand-out that was told BUSY counts once, when it succeeds at last', async () => {
  for (const request of [{}, { session: 's' }]) {
    const path = join(temporaryFolder(), 'pool.db');
    const vault = await openVault({ path, busyTimeoutMs: 1 });
    onTestFinished(() => vault.close());
    for (const host of ['a.example', 'b.example', 'c.example'])
      vault.proxies.create({ protocol: 'http', host, port: 1 });
    const other = new Database(path);
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE');
    for (let n = 0; n < 5; n++)
      expect(thrownBy(() => vault.pool.choose(request))).toMatchObject({ code: 'BUSY' });
    other.exec('ROLLBACK');
    const { host } = vault.pool.choose(request);
    if (request.session === undefined) expect(host).toBe('a.example');
    await vault.close();
    expect(other.prepare('SELECT sum(hand_outs) AS n FROM proxies').get()).toEqual({ n: 1 });
    expect(other.prepare('SELECT coalesce(sum(request_count), 0) AS n FROM session_proxies').get()).toEqual({
      n: request.session === undefined ? 0 : 1,
    });
  }
});
