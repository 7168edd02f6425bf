import { describe, expect, it } from 'vitest';
import { parseProxyList } from '../../src/lists/index.ts';
import { collect, kindsOf, proxiesOf } from '../support/verdicts.ts';

const HOST = { host: 'h.example', port: 1 };
const record = (members: object): string => JSON.stringify([{ ...HOST, ...members }]);
const url = (username: string, scheme = 'http', password = 'p'): string =>
  `${scheme}://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h.example:1`;
const padded = (text: string, length: number, after = ''): string =>
  text + ' '.repeat(length - text.length - after.length) + after;

/** A list whose length is the limit, and one that is longer by one: what is read of it, and what is said then. */
const LENGTHS: readonly (readonly [
  what: string,
  most: number,
  list: (length: number) => string,
  said: string,
])[] = [
  ['a line', 8192, (n) => padded('h.example:1', n), 'the line is longer than 8192 characters'],
  ['the last line of several', 8192, (n) => `# note\n${padded('h.example:1', n)}`, 'longer than 8192'],
  ['a row', 8192, (n) => `host,port\n${padded('h.example,1', n)}\n`, 'longer than 8192'],
  [
    'a comment before a header',
    8192,
    (n) => `${padded('# note', n)}\nhost,port\nh.example,1\n`,
    'longer than 8192',
  ],
  [
    'a line of proxychains',
    8192,
    (n) => `[ProxyList]\n${padded('http h.example 1', n)}\n`,
    'longer than 8192',
  ],
  [
    'a record',
    65_536,
    (n) => `[${padded('{"host":"h.example","port":1', n, '}')}]`,
    'the record is longer than 65536',
  ],
  [
    'a line of JSON lines',
    65_536,
    (n) => `{"host":"h.example","port":2}\n${padded('{"host":"h.example","port":1', n, '}')}\n`,
    'longer than 65536',
  ],
  [
    'an entry of YAML',
    16_384,
    (n) => `proxies:\n${padded('- {server: h.example, type: http, port: 1', n, '}')}\n`,
    'longer than 16384',
  ],
  [
    'an entry of several lines',
    16_384,
    (n) => `proxies:\n- server: h.example\n${padded('  port: 1', n - 20)}\n`,
    'the entry is longer than 16384',
  ],
  [
    'an entry in brackets',
    16_384,
    (n) => `proxies: [${padded('{server: h.example, type: http, port: 1', n, '}')}]\n`,
    'the entry is longer than 16384',
  ],
  [
    'a tag of XML',
    16_384,
    (n) =>
      `<ProxifierProfile><ProxyList>${padded('<Proxy', n, 'type="http">')}<Address>h.example</Address><Port>1</Port></Proxy></ProxyList></ProxifierProfile>`,
    'too long',
  ],
  ['a username', 1024, (n) => url('u'.repeat(n)), 'the username is longer than 1024 characters'],
  ['a password', 1024, (n) => url('u', 'http', 'p'.repeat(n)), 'the password is longer than 1024 characters'],
  [
    'a username of SOCKS5, in bytes',
    255,
    (n) => url(`${'u'.repeat(n % 2)}${'ü'.repeat(Math.floor(n / 2))}`, 'socks5'),
    'the username is longer than the 255 bytes',
  ],
  [
    'a password of SOCKS5, in bytes',
    255,
    (n) => url('u', 'socks5', 'p'.repeat(n)),
    'the password is longer than the 255 bytes',
  ],
  [
    'the name of a URL',
    256,
    (n) => `http://h.example:1#${'n'.repeat(n)}`,
    'a name that is too long or not printable was ignored',
  ],
  ['the name of a record', 256, (n) => record({ name: 'n'.repeat(n) }), 'the name was left out'],
  [
    'a change-IP URL',
    2048,
    (n) => record({ rotateUrl: `https://r.example/${'a'.repeat(n - 18)}` }),
    'longer than 2048',
  ],
];

describe.each(LENGTHS)('%s of %i characters', (_, most, list, said) => {
  it('is read, and of one more it is said that it is too long', async () => {
    const [atLimit, above] = [await collect(list(most)), await collect(list(most + 1))];
    expect({ kinds: kindsOf(atLimit), text: JSON.stringify(atLimit).includes(said) }).toEqual({
      kinds: expect.arrayContaining(['proxy']) as string[],
      text: false,
    });
    expect(JSON.stringify(above)).toContain(said);
  });
});

describe('a member of a record that has a limit', () => {
  it.each([
    ['region', 128, 'region'],
    ['city', 256, 'geolocation'],
    ['regionName', 256, 'geolocation'],
    ['timezone', 64, 'geolocation'],
  ])('%s of %i characters is read, and a longer one is left out', async (name, most, field) => {
    const read = async (length: number) =>
      proxiesOf(await collect(record({ [name]: 'x'.repeat(length) })))[0];
    expect(await read(most)).toHaveProperty(field);
    expect(await read(most + 1)).not.toHaveProperty(field);
  });

  it.each([
    ['latitude', [-90, 90], [-90.01, 90.01]],
    ['longitude', [-180, 180], [-180.01, 180.01]],
    ['asn', [1, 4_294_967_295], [0, 4_294_967_296]],
  ])('%s is read in its range', async (name, inside, outside) => {
    const read = async (value: unknown) =>
      (proxiesOf(await collect(record({ [name]: value })))[0] as { geolocation?: object }).geolocation;
    for (const value of inside)
      for (const written of [value, String(value)]) expect(await read(written)).toEqual({ [name]: value });
    for (const value of outside)
      for (const written of [value, String(value)]) expect(await read(written)).toBeUndefined();
  });

  it.each([
    ['timeout', 9.5, 9500],
    ['timeout', 9.9996, 10_000],
    ['timeout', 10, null],
    ['timeout', 10.5, null],
    ['timeout', 99.5, null],
    ['timeout', 100, 100],
    ['timeout', 100.5, 101],
    ['timeout', 3_600_000, 3_600_000],
    ['timeout', 3_600_001, null],
    ['timeout', 0, undefined],
    ['timeout', -1, null],
    ['timeout', '1,234', null],
    ['timeout', '1,2 s', 1200],
    ['timeout', '1.2s', 1200],
    ['timeout', '5 ms', 5],
    ['timeout', '5 min', null],
    ['timeout', '5 constructor', null],
    ['timeout', 'fast', null],
    ['timeout', '-', undefined],
    ['timeout (s)', 12, 12_000],
    ['timeout_ms', 12, 12],
    ['responseTimeInSeconds', 3601, null],
    ['latency', 0, 0],
    ['latency', 12, 12],
    ['latency', 12.5, null],
    ['ping', 100.4, 100],
  ])('%s: %j is %j milliseconds', async (name, value, latency) => {
    const [verdict] = await collect(record({ [name]: value }));
    if (verdict?.kind !== 'proxy') throw new Error('no proxy');
    expect(verdict.proxy.latency).toBe(latency ?? undefined);
    expect(verdict.notes).toEqual(
      latency === null ? [expect.stringMatching(/^the response time was left out: /)] : [],
    );
  });

  it('names at most eight protocols, and a header comes after at most twenty lines', async () => {
    const protocols = (count: number) => record({ protocols: Array(count).fill('socks4').join(' ') });
    expect(kindsOf(await collect(protocols(8)))).toEqual(['proxy']);
    expect(kindsOf(await collect(protocols(9)))).toEqual(['unknown-scheme']);
    const banner = (count: number) => `${'Some words\n'.repeat(count)}ip,port,name\nh.example,1,n\n`;
    expect(proxiesOf(await collect(banner(20)))).toEqual([{ protocol: 'http', ...HOST, name: 'n' }]);
    expect(proxiesOf(await collect(banner(21)))).not.toEqual([{ protocol: 'http', ...HOST, name: 'n' }]);
  });
});

describe('tags and lists inside each other', () => {
  it('have a limit in XML, and entities of others are not read', async () => {
    const profile = (content: string) => collect(`<ProxifierProfile>\n${content}</ProxifierProfile>`);
    const nested = (depth: number) => profile('<a>'.repeat(depth) + '</a>'.repeat(depth));
    expect(kindsOf(await nested(31))).toEqual(['not-a-list']);
    expect(kindsOf(await nested(32))).toEqual(['truncated']);
    for (const broken of [
      '<a>&nbsp;</a>',
      '<a>&</a>',
      '<a></b>',
      '<![CDATA[x]]>',
      '<a',
      '<!DOCTYPE a>',
      `<a>${'x'.repeat(16_385)}`,
    ])
      expect({ broken, kinds: kindsOf(await profile(broken)) }).toEqual({ broken, kinds: ['truncated'] });
  });
});

it.each([
  [{ format: 'xml' }, 'format must be one of auto,'],
  [{ protocol: 'ftp' }, 'protocol must be one of http, https, socks4, socks5.'],
  [{ strictProtocol: 'yes' }, 'strictProtocol must be true or false.'],
  [null, 'The options must be an object.'],
])('the options %j are rejected', async (options, message) => {
  await expect(parseProxyList('h.example:1', options as never).next()).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringContaining(message),
  });
});
