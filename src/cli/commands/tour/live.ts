import type { Listening } from '../../../gateway/index.ts';
import { openVault } from '../../../open-vault.ts';
import type { Vault } from '../../../vault.ts';
import { describeImport } from '../../import-report.ts';
import { table } from '../../output.ts';
import { text } from '../../terminal.ts';
import { announce } from '../serve/announcement.ts';
import { kill } from './chapters/kill.ts';
import { learned } from './chapters/learned.ts';
import { COOLDOWN_MS, recovery } from './chapters/recovery.ts';
import { reportByLease } from './chapters/report-by-lease.ts';
import { mixedRequests } from './chapters/requests.ts';
import { sessions } from './chapters/sessions.ts';
import { TEST_CERTIFICATE } from './loopback/certificate.ts';
import { News } from './news.ts';
import { DB, KEY, leaksIn, newPoolFiles, programName } from './pool-files.ts';
import { Recorder } from './recorder.ts';
import type { Stage } from './stage.ts';
import { line, say } from './story.ts';
import { World } from './world.ts';

/** How long the proxy that hangs is waited for: long enough for one that works on a busy machine. */
const HANDSHAKE_MS = 800;

/** The gateway with real proxies and websites, all of them on this machine. It ends by itself. */
export async function liveTour(): Promise<void> {
  const { path, keyFile } = newPoolFiles();
  await using world = await World.start();
  const recorder = new Recorder();
  {
    await using vault = await openVault({ path, keyFile });
    await importAll(world, vault);
    await using gateway = await vault.serve({
      port: 0,
      handshakeMs: HANDSHAKE_MS,
      ca: TEST_CERTIFICATE,
      logger: recorder,
    });
    const browser = await gateway.listen({ session: 'browser' });
    say('One local port for every client, as `proxyvault serve` opens it; and one for a browser');
    announce(false, { gateway, ports: [{ ...browser, identity: { session: 'browser' } }], vault });
    await tell({ world, vault, gateway, recorder, browser });
  }
  say('Nothing leaked');
  const logged = JSON.stringify(recorder.logs);
  const inLog = world.passwords.filter((password) => logged.includes(password)).length;
  line(
    text`${leaksIn(path, world.passwords)}\nIn the log of ${recorder.logs.length} requests: ${inLog} found. Connections to proxies that are still open: ${await world.settled()}.`,
  );
  tryNext();
}

async function tell(parts: Omit<Stage, 'nameOf' | 'news'> & { browser: Listening }): Promise<void> {
  const { vault, browser } = parts;
  const names = new Map(vault.proxies.findAll().map(({ id, name }) => [id, name]));
  const nameOf = (id: string | null | undefined): string => names.get(id ?? '') ?? '-';
  const stage: Stage = { ...parts, nameOf, news: new News(vault, nameOf) };
  await mixedRequests(stage);
  await sessions(stage, browser.port);
  await kill(stage);
  await recovery(stage);
  await reportByLease(stage);
  learned(stage);
}

async function importAll(world: World, vault: Vault): Promise<void> {
  say('Nine proxies, and two websites that they lead to: real servers on this machine');
  const rows = world.proxies.map(({ name, kind, password, country, does }) => [
    name,
    kind,
    password === undefined ? null : 'yes',
    country,
    does,
  ]);
  line(table(['NAME', 'KIND', 'LOGIN', 'COUNTRY', 'WHAT IT DOES'], rows));
  const result = await vault.import(world.list);
  // Each has a note that its address is of this machine.
  line(text`\n${describeImport({ ...result, notes: {} })}`);
  vault.config.update({
    strategy: 'round-robin',
    options: { health: { cooldownMs: COOLDOWN_MS, maxCooldownMs: COOLDOWN_MS, jitter: 0 } },
  });
}

function tryNext(): void {
  const program = programName();
  say('Try next, with your own proxies');
  line(
    text`${program} import proxies.txt\n${program} serve\ncurl -x http://127.0.0.1:8888 https://example.com/      # in another terminal`,
  );
  say('Or look at the pool of this tour, and at the ten strategies with five days of work in a second');
  line(
    text`${program} stats --by proxy --db ${DB} --key-file ${KEY}\n${program} tour --simulated\n${program} --help`,
  );
}
