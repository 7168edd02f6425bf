import { once } from 'node:events';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openVault } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import type { RequestLog } from '../../src/gateway/log.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { inOtherProcess } from '../support/other-process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { get } from './inbound.ts';
import { until } from './open-gateway.ts';
import { ok, readRequest, Scripted } from './scripted.ts';

/** Kills in the suite: 3. `PROXYVAULT_GATEWAY_KILLS=100` for a longer run. */
const KILLS = Number(process.env.PROXYVAULT_GATEWAY_KILLS ?? 3);
/** An outcome waits at most so many milliseconds to be stored, unless it is configured; and so late may a timer be on a busy machine. */
const LOSS_MS = 200;
const LATE_MS = 50;
const AT_ONCE = 12;

/** A gateway in a process of its own, which says each request that has ended, and when. */
function gateway(path: string) {
  return inOtherProcess(`
    const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)}, durability: 'normal' });
    const say = (line) => console.log(JSON.stringify({ at: Date.now(), ...line }));
    const gateway = await vault.serve({ port: 0, allowTargets: 'all', reuse: 'never', logger: { info: say, warn: say } });
    console.log(gateway.port);
    setInterval(() => say({ tick: true }), 5);
  `);
}

type Said = RequestLog & { at: number; tick?: true };

describe(`a gateway that is killed (SIGKILL) under load, ${KILLS} times,`, () => {
  it(
    'has stored each outcome but those of its last moments, and each session',
    async () => {
      const random = new Random(SEED);
      const website = await Scripted.start(async (peer) => {
        await readRequest(peer);
        peer.write(ok('page'));
        peer.socket.end();
      });
      const proxies = await Promise.all(
        (['http', 'socks5', 'http'] as const).map((kind) => UpstreamServer.start({ kind })),
      );
      onTestFinished(async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))));
      await proxies[2]?.behave('reset');
      for (let kill = 0; kill < KILLS; kill++) {
        const path = join(temporaryFolder(), 'pool.db');
        const vault = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
        vault.config.update({ strategy: 'round-robin' });
        const ids = vault.proxies
          .createMany(proxies.map(({ kind, host, port }) => ({ protocol: kind, host, port })))
          .map(({ id }) => id);
        await vault.close();

        const { child, line, rest } = gateway(path);
        const port = Number(await line());
        // Read all the time: a gateway that cannot say anything would wait.
        const saying = rest();
        const sessions = new Map<string, number>();
        let isOver = false;
        let answered = 0;
        const load = async (n: number): Promise<void> => {
          for (let count = 0; !isOver; count++) {
            const session = `${n}x${count % 5}`;
            const to = { host: '127.0.0.1', port: website.port };
            const inbound = random.pick(['connect', 'http', 'socks5'] as const);
            const got = await get(inbound, port, to, { username: `session-${session}` }).catch(() => null);
            if (got?.status !== 200) continue;
            answered++;
            sessions.set(session, (sessions.get(session) ?? 0) + 1);
          }
        };
        const clients = Array.from({ length: AT_ONCE }, (_, n) => load(n));
        // With so many more as may not have said so yet.
        const enough = 100 + AT_ONCE + random.below(200);
        await until(() => answered > enough, 'load', 30_000);
        isOver = true;
        child.kill('SIGKILL');
        await once(child, 'exit');
        await Promise.all(clients);
        const said = (await saying).flatMap((text): Said[] => (text.endsWith('}') ? [JSON.parse(text)] : []));

        const outcomes = said.flatMap(({ at, outcome, proxy, tried = [] }) => [
          ...tried.map(() => at),
          ...(proxy !== undefined && outcome !== 'aborted' ? [at] : []),
        ]);
        const lastChance = Math.max(...said.filter(({ tick }) => tick).map(({ at }) => at));
        const old = outcomes.filter((at) => at < lastChance - LOSS_MS - LATE_MS).length;
        const db = new Database(path, { readonly: true });
        expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
        const stored = Number(db.prepare('SELECT sum(request_count) FROM proxy_usage_stats').pluck().get());
        expect(stored).toBeGreaterThanOrEqual(old);
        // Those that had ended and were not said any more, at most.
        expect(stored).toBeLessThanOrEqual(outcomes.length + 3 * AT_ONCE);
        expect(outcomes.length).toBeGreaterThan(100);
        const keeps = db.prepare('SELECT proxy_id FROM session_proxies WHERE session = ?').pluck();
        for (const [session] of sessions) expect(ids).toContain(keeps.get(session));
        db.close();

        // Another one serves at once: nothing is held by the dead.
        const again = gateway(path);
        const next = Number(await again.line());
        expect((await get('connect', next, { host: '127.0.0.1', port: website.port })).status).toBe(200);
        again.child.kill('SIGKILL');
      }
    },
    60_000 + KILLS * 15_000,
  );
});
