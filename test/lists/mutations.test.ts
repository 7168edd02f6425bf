import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type ListVerdict, parseProxyList } from '../../src/lists/index.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';

/** In the suite 3,000. `PROXYVAULT_MUTATIONS=1000000 npm test -- test/lists/mutations` for a longer run. */
const MUTATIONS = Number(process.env.PROXYVAULT_MUTATIONS ?? 3000);
const EXCERPT = 600;

const SHARED = fileURLToPath(new URL('../../../shared/data/proxy-lists/', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../examples/proxies.txt', import.meta.url));
const OTHERS = [
  'ip,port,username,password\n192.0.2.1,80,u,"p,q"\n',
  'proxies:\n  - {name: a, type: http, server: 192.0.2.1, port: 80}\n  - name: b\n    type: socks5\n',
  '[ProxyList]\nsocks5 192.0.2.1 1080 u p\n',
  'proxies: [{name: a, type: http, server: 192.0.2.1, port: 80}, {name: "b", type: socks5}]\nrules:\n  - MATCH,a\n',
  '<?xml version="1.0"?>\n<ProxifierProfile><ProxyList><Proxy type="SOCKS5"><Address>192.0.2.1</Address><Port>1</Port></Proxy></ProxyList></ProxifierProfile>\n',
  'tg://socks?server=192.0.2.1&port=1080&user=u&pass=p\nhttps://t.me/proxy?server=h.example&port=1&secret=0\n',
  'SOCKS4,HTTP\n192.0.2.1:1,192.0.2.2:2\n',
  '{"ip":"192.0.2.1","port":"80"}\n{"ip":"192.0.2.2","port":"81"}\n',
  'HTTP_PROXY=http://u:p@192.0.2.1:80\n- socks5 u:p@192.0.2.1:80\ncurl -x 192.0.2.1:80 https://h.example/\n',
  '192.0.2.1:80:u:p[https://h.example/?k]\nh.example:80:u:p,h.example:81:u:p\n192.0.2.1:80 (SOCKS5) US 5ms # x\n',
  'Banner\nsep=;\n"ip";port;Benutzername;Passwort;response time (s)\n192.0.2.1;80;u; "p;q";1,2\n',
  '{"http":["192.0.2.1:80"],"x":{"socks5":[["192.0.2.1",80,"u","p"]]},"192.0.2.1:80":{"type":"http"}}',
  '{"mode":"patterns","k1":{"type":3,"address":"192.0.2.1","port":80,"proxyDNS":true,"whitePatterns":[]}}',
  '{"+a":{"profileType":"FixedProfile","fallbackProxy":{"scheme":"http","host":"h.example","port":1},"auth":{"fallbackProxy":{"username":"u","password":"p"}}}}',
  '[{"proxy":"http://u:p@192.0.2.1:80","auth":{"username":"u","password":["p"]},"types":[{"type":"HTTP/HTTPS"}],"timeout":"1.2 s"}]',
];
const PIECES = [
  ...'[]{}"\'\\@:,;|#/%\n\r\t \0\uFEFF\uFFFD\u{1F600}-*&!<>=~`',
  '://',
  '\ud800',
  '::',
  '9'.repeat(20),
];
const CODES =
  /^(?:line-too-long|not-a-list|not-a-proxy|unknown-scheme|bad-(?:host|port|credentials|encoding|record)|missing-port|ambiguous|trailing-text|truncated)$/;

function texts(): string[] {
  const shared = existsSync(SHARED) ? readdirSync(SHARED).map((name) => SHARED + name) : [];
  return [...OTHERS, ...[EXAMPLE, ...shared].map((path) => readFileSync(path, 'utf8'))];
}

function mutate(text: string, random: Random): string {
  let mutated = text;
  for (let edits = 1 + random.below(6); edits > 0; edits--) {
    const at = random.below(mutated.length + 1);
    const piece = PIECES[random.below(PIECES.length)] ?? '';
    const skip = [0, 1, random.below(40)][random.below(3)] ?? 0;
    const copied = mutated.slice(at, at + random.below(30));
    mutated = mutated.slice(0, at) + (random.below(4) === 0 ? copied : piece) + mutated.slice(at + skip);
  }
  return mutated;
}

it(
  `${MUTATIONS} random mutations of real lists give typed verdicts and nothing else (seed ${SEED})`,
  async () => {
    const random = new Random(SEED);
    const lists = texts();
    const kinds = new Set<ListVerdict['kind']>();
    for (let n = 0; n < MUTATIONS; n++) {
      const list = lists[n % lists.length] ?? '';
      const start = random.below(2) === 0 ? 0 : random.below(list.length);
      for await (const verdict of parseProxyList(mutate(list.slice(start, start + EXCERPT), random))) {
        kinds.add(verdict.kind);
        if (!Number.isInteger(verdict.line) || verdict.line < 1) expect(verdict.line).toBe('from 1');
        if (
          verdict.kind === 'refused' &&
          !(CODES.test(verdict.code) && verdict.column >= 1 && verdict.reason !== '')
        )
          expect(verdict).toBe('typed');
      }
    }
    expect([...kinds].sort()).toEqual(['blank', 'comment', 'proxy', 'refused']);
  },
  60_000 + MUTATIONS * 20,
);

it('a hostile list of 256 KB costs about as much for each byte as one of 32 KB', async () => {
  const hostile = [
    '[',
    '{"a":',
    '"',
    '@',
    ':',
    'a:',
    '::',
    '(',
    ' ',
    '1.',
    ',',
    '%41',
    '\\',
    '192.0.2.1:80 US ',
    'proxies:\n - {',
    'proxies: [',
    'proxies:\n',
    '- {name: "',
    'proxies:\n  - a: b\n    # c\n\n',
    '<ProxifierProfile><a b="">',
    'tg://socks?server=',
    'function ',
    ';FindProxyForURL',
    '[ProxyList] ',
    '\n"',
    ';"',
    '\t',
    'curl -s ',
    'proxy=',
    '[https://',
    '192.0.2.1:80:u:p ',
    '192.0.2.1:80,',
    'u:p@h.example:1;',
    '192.0.2.1:80:u:[::',
    'a_',
    'United ',
    '\u200b',
    '192.0.2.1:80 # a:b ',
  ];
  const cost = async (unit: string, length: number): Promise<number> => {
    const text = unit.repeat(length / unit.length);
    const start = process.cpuUsage();
    for await (const _ of parseProxyList(text));
    const { user, system } = process.cpuUsage(start);
    return (user + system) / length;
  };
  for (const unit of hostile) {
    let ratio = 0;
    // Quadratic cost would be eight times as much a byte each time; once it may be the machine.
    for (let tries = 0; tries < 4; tries++) {
      const large = await cost(unit, 1 << 18);
      // A small list has the noise of starting.
      ratio = large > 0.05 ? large / (await cost(unit, 1 << 15)) : 1;
      if (ratio < 5) break;
    }
    expect([unit, ratio < 5]).toEqual([unit, true]);
  }
}, 120_000);
