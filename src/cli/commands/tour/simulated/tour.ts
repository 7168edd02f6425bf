import { createReadStream } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVault } from '../../../../open-vault.ts';
import type { Vault } from '../../../../vault.ts';
import { listedViews } from '../../../../views/proxy.ts';
import { describeImport } from '../../../import-report.ts';
import { PACKAGE_FOLDER } from '../../../package-folder.ts';
import { proxyTable } from '../../../proxy-table.ts';
import { lines, text } from '../../../terminal.ts';
import { countsOf, eventTable } from '../../events.ts';
import { explanationText } from '../../explain/explanation.ts';
import { usageTable } from '../../stats.ts';
import { DB, KEY, leaksIn, newPoolFiles, programName } from '../pool-files.ts';
import { line, say } from '../story.ts';
import { randomNumbers, type SimulatedClock, simulatedClock } from './clock.ts';
import { COOLDOWNS_TAKE, cooldownsTable } from './cooldowns.ts';
import { REQUESTS, STRATEGIES_TAKE, strategiesTable } from './strategies.ts';

const LIST = fileURLToPath(new URL('examples/proxies.txt', PACKAGE_FOLDER));
const DAY = 24 * 60 * 60 * 1000;
const DAYS = 5;
const HAND_OUTS_A_DAY = 150;
const SHOWN_PROXIES = 12;
const SHOWN_EVENTS = 6;
const SEED = 20_260_101;

/** The main job on an example list, by a simulated clock; no network is used. */
export async function simulatedTour(): Promise<void> {
  const { path, keyFile } = newPoolFiles();
  // So that what is simulated ends now.
  const clock = simulatedClock(DAYS * DAY + STRATEGIES_TAKE + COOLDOWNS_TAKE);
  const secrets = await fill(path, keyFile, clock);
  say('Nothing leaked');
  line(leaksIn(path, secrets));
  say('Where it is');
  line(text`The pool: ${path}\nIts key: ${keyFile} (keep it in another place than the backups)`);
  say('Try next');
  const program = programName();
  const options = `--db ${DB} --key-file ${KEY}`;
  line(
    text`${program} next --domain example.com ${options} --reveal\n${program} list ${options}\n${program} --help`,
  );
}

async function fill(path: string, keyFile: string, clock: SimulatedClock): Promise<string[]> {
  await using vault = await openVault({ path, clock: clock.now, random: randomNumbers(SEED), keyFile });
  const { proxies, usage, events, credentials } = vault;
  say('A new pool');
  line(
    lines(vault.database.migrations.getApplied().map(({ name, description }) => `${name}: ${description}`)),
  );

  say(`Importing ${relative('.', LIST)}`);
  line(describeImport(await vault.import(createReadStream(LIST))));

  handOut(vault, clock);
  say('The pool, best first');
  const items = proxies.getTopPerformers(SHOWN_PROXIES);
  line(
    text`${proxyTable(vault, listedViews(vault, items))}\n... and ${proxies.count() - items.length} more; ${proxies.count({ status: 'failed' })} are out after failing.`,
  );

  say('Usage by day (UTC)');
  line(usageTable(usage.range(), usage.totals()));

  say('Rotation events, newest first');
  line(text`${eventTable(events.recent(SHOWN_EVENTS))}\n${countsOf(events.countByReason())}`);

  say(`Ten strategies, ${REQUESTS} requests each, by what they gave to five proxies`);
  line(strategiesTable(vault, clock, randomNumbers(SEED)));

  say('Why: proxyvault explain --url https://shop.example/cart/7 --tag five --strategy fastest');
  line(
    explanationText(
      vault.pool.explain({ url: 'https://shop.example/cart/7', tags: ['five'], strategy: 'fastest' }),
    ),
  );

  say('Proxies go out, and come back by themselves');
  line(cooldownsTable(vault, clock));

  const passwords = proxies.findAll().flatMap((proxy) => credentials.reveal(proxy)?.password ?? []);
  return [...new Set(passwords)].filter((password) => password.length >= 8);
}

/** Some days of work: proxies handed out in turn, outcomes made up (no network), one domain that sticks. */
function handOut({ pool, config, sticky }: Vault, clock: SimulatedClock): void {
  const random = randomNumbers(SEED);
  config.update({ strategy: 'round-robin', failureThreshold: 2 });
  say('Handing out, round-robin; *.shop.example sticks');
  const first = pool.choose({ domain: 'www.shop.example' });
  sticky.create({ domain: '*.shop.example', proxyId: first.id });
  let stuck = 0;
  for (let n = 0; n < DAYS * HAND_OUTS_A_DAY; n++) {
    clock.advance(DAY / HAND_OUTS_A_DAY);
    const domain = n % 25 === 0 ? 'www.shop.example' : undefined;
    const proxy = pool.choose({ domain });
    if (domain && proxy.id === first.id) stuck++;
    // Hosts that end in 7 have a bad week.
    const success = random() < (/7$/.test(proxy.host) ? 0.1 : 0.95);
    pool.report(proxy.id, success ? { success, latencyMs: Math.round(40 + random() * 400) } : { success });
  }
  line(
    `${DAYS * HAND_OUTS_A_DAY} requests over ${DAYS} days; www.shop.example got ${first.name} ${stuck} times of ${Math.ceil((DAYS * HAND_OUTS_A_DAY) / 25)}.`,
  );
}
