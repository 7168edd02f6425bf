import type { Vault } from '../../../../vault.ts';
import { outOf, partOf, timeOf } from '../../../cooldown-text.ts';
import { table } from '../../../output.ts';
import type { Text } from '../../../terminal.ts';
import type { SimulatedClock } from './clock.ts';

const SECOND = 1000;
const NAMES = ['golf', 'hotel', 'india'] as const;
const TAGS = ['three'];
const SHOP = 'shop.example';
const OTHER = 'news.example';
/** So many successes end the slow start of a new proxy, which goes out at its first failure. */
const PROVEN = 5;
/** How long a block lasts: the target says so. */
const RETRY_AFTER = 120 * SECOND;
/** A first time out is 30 seconds, and up to a tenth more. */
const TIME_OUT = 40 * SECOND;

/** How long all of this takes by the simulated clock. */
export const COOLDOWNS_TAKE = RETRY_AFTER + TIME_OUT;

/** Has proxies fail, and come back by time. */
export function cooldownsTable(vault: Vault, clock: SimulatedClock): Text {
  const { pool } = vault;
  vault.config.reset();
  for (const name of NAMES) {
    vault.proxies.create({ id: name, name, protocol: 'http', host: `${name}.example`, port: 8080 });
    vault.tags.add(name, 'three', 'the tour');
  }
  let told: string[] = [];
  pool.on('cooled', (event) => told.push(`${event.proxyId} is ${outOf(event, clock.now())}`));
  pool.on('recovered', (event) => told.push(`${event.proxyId} is back for ${partOf(event)}`));

  const rows: string[][] = [];
  const show = (what: string): void => {
    const time = timeOf(new Date(clock.now()).toISOString(), clock.now());
    rows.push([time, what, told.join(', '), readyFor(vault, SHOP), readyFor(vault, OTHER)]);
    told = [];
  };
  for (let n = 0; n < PROVEN; n++)
    for (const name of NAMES) lease(vault, name, SHOP).succeed({ latencyMs: 90 });
  show(`each works ${PROVEN} times`);

  lease(vault, 'golf', SHOP).fail({ kind: 'blocked', status: 429, retryAfterMs: RETRY_AFTER });
  show(`${SHOP} blocks golf`);

  let failures = 0;
  for (; told.length === 0 && failures < 10; failures++)
    lease(vault, 'hotel', OTHER).fail({ kind: 'connect' });
  show(`hotel cannot be reached, ${failures} times`);

  clock.advance(TIME_OUT);
  lease(vault, 'hotel', OTHER).succeed({ latencyMs: 90 });
  show('its time is over, and one request works');

  clock.advance(RETRY_AFTER);
  lease(vault, 'golf', SHOP).succeed({ latencyMs: 90 });
  show(`golf may try ${SHOP} again, and works`);
  return table(['TIME', 'WHAT HAPPENS', 'WHAT FOLLOWS', `READY FOR ${SHOP}`, `READY FOR ${OTHER}`], rows);
}

/** A lease of this proxy. */
function lease({ pool }: Vault, name: string, domain: string) {
  return pool.tryAcquire({ domain, tags: TAGS, exclude: NAMES.filter((each) => each !== name) });
}

/** Which of them may be handed out. */
function readyFor({ pool }: Vault, domain: string): string {
  const isReady = (name: string): boolean => {
    const exclude = NAMES.filter((each) => each !== name);
    return pool.explain({ domain, tags: TAGS, exclude }).proxy !== null;
  };
  return NAMES.filter(isReady).join(' ');
}
