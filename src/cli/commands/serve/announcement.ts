import type { ClientIdentity, Gateway, Listening } from '../../../gateway/index.ts';
import type { PoolStats } from '../../../rotation/index.ts';
import type { Vault } from '../../../vault.ts';
import { jsonLine } from '../../output.ts';
import { lines, type Text, text, writeOut } from '../../terminal.ts';

interface Serving {
  gateway: Gateway;
  /** The ports with an identity of their own. */
  ports: readonly (Listening & { identity: ClientIdentity })[];
  vault: Vault;
}

/** What the states of proxies are called in a sentence. */
const STATES: readonly (readonly [state: keyof PoolStats['states'], words: string])[] = [
  ['ready', 'ready'],
  ['cooling', 'cooling down'],
  ['failed', 'failed'],
  ['disabled', 'disabled'],
  ['checking', 'being checked'],
  ['resting', 'resting'],
  ['busy', 'busy'],
  ['pausing', 'pausing'],
];

/** Says where the gateway listens, and what the pool has. A program gets one line of JSON. */
export function announce(json: boolean | undefined, { gateway, ports, vault }: Serving): void {
  const { states } = vault.pool.stats();
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  if (json) {
    const { host, port, url } = gateway;
    writeOut(text`${jsonLine({ host, port, url, ports, proxies: { total, ...states } })}\n`);
    return;
  }
  const counted = STATES.filter(([state]) => state === 'ready' || states[state] > 0);
  const proxies = counted.map(([state, words]) => `${states[state]} ${words}`).join(', ');
  const first = text`Listening on ${addressOf(gateway)} (HTTP, SOCKS5). ${total} ${total === 1 ? 'proxy' : 'proxies'}: ${proxies}.`;
  const others = ports.map(
    (port): Text => text`Listening on ${addressOf(port)} for ${wordsOf(port.identity)}.`,
  );
  writeOut(text`${lines([first, ...others])}\n`);
}

function addressOf({ url }: Pick<Listening, 'url'>): string {
  return url.replace('http://', '');
}

/** Who the clients of a port are, for a person. */
function wordsOf({ country, region, session, ttlMs, protocol, tags = [], strategy }: ClientIdentity): string {
  const words = [
    ['country', country],
    ['region', region],
    ['session', session],
    ['ttl', ttlMs === undefined ? undefined : `${ttlMs} ms`],
    ['protocol', protocol],
    ...tags.map((tag) => ['tag', tag] as const),
    ['strategy', strategy],
  ] as const;
  const said = words.flatMap(([word, value]) => (value === undefined ? [] : [`${word} ${value}`]));
  return said.length === 0 ? 'anybody' : said.join(', ');
}
