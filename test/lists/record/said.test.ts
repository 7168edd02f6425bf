import { describe, expect, it } from 'vitest';
import { collect, kindsOf, proxiesOf } from '../../support/verdicts.ts';

const HOST = { host: 'h.example', port: 1 };
const read = async (members: object) => (await collect(JSON.stringify([{ ...HOST, ...members }])))[0];

describe('what a record says of a proxy', () => {
  it.each([
    ...['true', '1', 'yes', 'Y', 'ON', 'ja', 'да', '✓', true, 1].map((value) => [value, true] as const),
    ...['false', '0', 'no', 'N', 'off', 'nein', 'нет', '✗', '-', 'N/A', 'none', false, 0].map(
      (value) => [value, false] as const,
    ),
  ])('%j is %j', async (value, flag) => {
    expect(await read({ type: 'socks5', remoteDns: value })).toMatchObject({ proxy: { remoteDns: flag } });
  });

  it.each<[members: object, geolocation: object | undefined, notes: number]>([
    [{ country: 'de' }, { country: 'DE' }, 0],
    [{ country: 'Germany' }, undefined, 1],
    [{ country: 'Germany', country_code: 'de' }, { country: 'DE' }, 0],
    ...['-', 'ZZ', 'n/a', 'None', 'null', 'undefined', 'Unknown'].map(
      (country) => [{ country }, undefined, 0] as [object, undefined, number],
    ),
    [
      { geo: { country: { iso_code: 'FR' }, region: 'IDF', location: { latitude: 1, lon: 2 } } },
      { country: 'FR', region: 'IDF', latitude: 1, longitude: 2 },
      0,
    ],
    [{ state: 'BE', region: 'mine' }, { region: 'BE' }, 0],
    [{ region: 'mine' }, undefined, 0],
    [{ asn: 'AS64496 Name' }, { asn: 64_496 }, 0],
    [{ asn: 0 }, undefined, 0],
    [{ asn: 'AS0', city: 'Unknown', country: 'ZZ' }, undefined, 0],
    [{ city: 'x'.repeat(257), geo: { city: 'Berlin' } }, { city: 'Berlin' }, 0],
    [{ city: 'x'.repeat(257), country: 'DE' }, { country: 'DE' }, 1],
  ])('%j is the place %j', async (members, geolocation, notes) => {
    const verdict = await read(members);
    if (verdict?.kind !== 'proxy') throw new Error('no proxy');
    expect(verdict.proxy.geolocation).toEqual(geolocation);
    expect(verdict.notes).toHaveLength(notes);
  });

  it('is named in a note if it was not read, or looks as if it held a login', async () => {
    expect(await read({ foo: 'x', 'b:c@d': 'x' })).toMatchObject({
      notes: ['the member "foo" was not read', 'another member was not read'],
    });
    for (const name of ['name', 'region'])
      expect(await read({ [name]: 'http://u:canary@h.example:1' })).toMatchObject({
        proxy: HOST,
        notes: [`the ${name} was left out: it looks as if it held a login`],
      });
    for (const [name, what, most] of [
      ['name', 'name', 256],
      ['region', 'region', 128],
      ['city', 'city', 256],
      ['regionName', 'region of the exit', 256],
      ['timezone', 'time zone', 64],
    ] as const)
      for (const value of ['x'.repeat(most + 1), 'a\u0007', '\ud800'])
        expect(await read({ [name]: value })).toEqual({
          ...{ kind: 'proxy', line: 1, proxy: { protocol: 'http', ...HOST } },
          notes: [`the ${what} was left out: it is not a printable text of up to ${most} characters`],
        });
    for (const value of ['', '-', 'Unknown', 'N/A'])
      expect(await read({ city: value, timezone: value })).toMatchObject({ notes: [] });
    expect(await read({ status: 'disabled' })).toMatchObject({ proxy: { status: 'disabled' }, notes: [] });
    expect(await read({ status: 'active' })).toMatchObject({ notes: ['the member "status" was not read'] });
    expect(await read({ type: 'socks5', proxyDNS: false })).toMatchObject({
      notes: [expect.stringContaining('proxyDNS')],
    });
    for (const [value, gateway] of [
      ['yes', true],
      [false, false],
    ])
      expect(await read({ gateway: value })).toMatchObject({ proxy: { gateway }, notes: [] });
    expect(await read({ gateway: 'router.example' })).toEqual({
      ...{ kind: 'proxy', line: 1, proxy: { protocol: 'http', ...HOST } },
      notes: ['the member "gateway" was not read'],
    });
    expect(await read({ type: 'socks5', proxyDNS: false })).not.toHaveProperty('proxy.remoteDns');
  });

  it('is one thing: what disagrees, or is half of it, is rejected', async () => {
    const rejected: [members: object, code: string][] = [
      [{ port: 2, proxy_port: 3 }, 'ambiguous'],
      [{ url: 'http://h.example:2' }, 'ambiguous'],
      [{ url: 'http://other.example:1' }, 'ambiguous'],
      [{ type: 'http', socks5: true }, 'ambiguous'],
      [{ https: true, http: false }, 'ambiguous'],
      [{ type: 'socks5', tls: true }, 'unknown-scheme'],
      [{ type: 5 }, 'unknown-scheme'],
      [{ foo: 'socks5' }, 'unknown-scheme'],
      [{ username: 'u:p' }, 'ambiguous'],
      [{ username: 'u', x: 'hunter2' }, 'bad-credentials'],
      [{ extra: { deep: { token: 'x1' } } }, 'bad-credentials'],
      [{ username: 'u', password: 1.5 }, 'bad-credentials'],
      [{ auth: ['a', 'b', 'c'] }, 'bad-credentials'],
      [{ rotateUrl: 5 }, 'bad-record'],
      [{ ['x'.repeat(65)]: 'hunter2' }, 'bad-credentials'],
    ];
    for (const [members, code] of rejected)
      expect({ members, code: (await read(members)) as object }).toMatchObject({ members, code: { code } });
    expect(await read({ tls: true })).toMatchObject({ proxy: { protocol: 'https' } });
    expect(await read({ auth: 'u:p:q' })).toMatchObject({ proxy: { username: 'u', password: 'p:q' } });
    expect(await read({ username: 'u', id: 'abc' })).toMatchObject({
      proxy: { username: 'u', password: '' },
    });
    const harmless = { isp: 'Foo', anonymity: 'elite', last_checked: 'now', source: 'x', tags: 'a', no: 7 };
    for (const half of [{ username: 'u' }, { password: 'p' }])
      expect(await read({ ...half, ...harmless })).toMatchObject({ kind: 'proxy', proxy: half });
    expect(await read({ username: 'u:v', password: '' })).toMatchObject({
      proxy: { username: 'u:v', password: '' },
    });
  });
});

describe('what words after an address say', () => {
  it.each([
    ['US-H! +', { geolocation: { country: 'US' } }],
    ['UK', { geolocation: { country: 'GB' } }],
    ['NO', { geolocation: { country: 'NO' } }],
    ['DE yes NO', { geolocation: { country: 'DE' } }],
    ['US DE', { geolocation: { country: 'US' } }],
    ['United States | elite | 1.2s', { geolocation: { country: 'US' }, latency: 1200 }],
    ['120ms 130ms', { latency: 120 }],
    ['AS64496', { geolocation: { asn: 64_496 } }],
    ['(SOCKS5)', { protocol: 'socks5' }],
    ['🇩🇪', { geolocation: { country: 'DE' } }],
    ['# a comment', {}],
    ['https://r.example/?k', { rotateUrl: 'https://r.example/?k' }],
  ])('%j', async (words, said) => {
    const proxy = { protocol: 'http', host: '192.0.2.1', port: 80, ...said };
    // A second time too: what was said of one proxy is not changed by another.
    expect(proxiesOf(await collect(`192.0.2.1:80 ${words}\n192.0.2.1:80 ${words}\n`))).toEqual([
      proxy,
      proxy,
    ]);
  });

  it('is that of one proxy alone: who changes it changes no other', async () => {
    const line = '192.0.2.1:80 FR 77ms';
    const [first] = proxiesOf(await collect(line)) as { geolocation: { country: string } }[];
    if (first) first.geolocation.country = 'DE';
    expect(proxiesOf(await collect(line))).toMatchObject([{ geolocation: { country: 'FR' } }]);
  });

  it.each(['8080', '80 90', 'AS0', 'XX9', 'https://r.example', 'https://r.example/'])(
    '%j is not one of them',
    async (words) => {
      expect(kindsOf(await collect(`192.0.2.1:80 ${words}`))).toEqual(['trailing-text']);
    },
  );
});

describe('columns of a line', () => {
  const login = { username: 'user', password: 'pass' };

  it.each([
    ['192.0.2.1,1,user,pass,socks5', { protocol: 'socks5', ...login }],
    ['192.0.2.1,1,user,socks5,pass', { protocol: 'socks5', ...login }],
    ['socks5,192.0.2.1,1,user,pass', { protocol: 'socks5', ...login }],
    ['192.0.2.1;1;;;socks5', { protocol: 'socks5' }],
    ['192.0.2.1|1||US|', { protocol: 'http', geolocation: { country: 'US' } }],
    ['[["192.0.2.1",1,"","","socks5"]]', { protocol: 'socks5' }],
  ])('%s are each read, also after a login and after empty ones', async (line, said) => {
    expect(proxiesOf(await collect(line))).toEqual([{ host: '192.0.2.1', port: 1, ...said }]);
  });
});

describe('localhost', () => {
  it.each([
    'localhost 1',
    'localhost,1',
    'localhost:1',
    'u:p:localhost:1',
    'localhost:1:u:p',
    'u:p@localhost:1',
  ])('is a host as sure as an address in %s', async (line) => {
    expect(proxiesOf(await collect(line))).toMatchObject([{ host: 'localhost', port: 1 }]);
  });
});

describe('a URL', () => {
  it.each([
    ['http://u%c3%bc:p%C3%BC@h.example:1', { username: 'u\u00fc', password: 'p\u00fc' }],
    ['http://u%2f%2F:p%zz%ff%@h.example:1', { username: 'u//', password: 'p%zz%ff%' }],
    ['http://h\u200b.example:1#\u{1f468}\u200d\u{1f469}', { name: '\u{1f468}\u200d\u{1f469}' }],
  ])('%s has its escapes decoded, and what joins the characters of its name', async (url, said) => {
    expect(proxiesOf(await collect(url))).toEqual([{ protocol: 'http', ...HOST, ...said }]);
  });
});

describe('a word of Base64', () => {
  it('at the beginning of a list is a subscription from 40 characters on, and else a username', async () => {
    const username = (length: number): string =>
      Buffer.from(`a://${'b'.repeat(length)}`).toString('base64url');
    expect([username(25).length, username(26).length]).toEqual([39, 40]);
    expect(proxiesOf(await collect(`${username(25)}:p@h.example:1`))).toMatchObject([HOST]);
    expect(kindsOf(await collect(`${username(26)}:p@h.example:1`))).toEqual(['not-a-list']);
  });
});

describe('a link of Telegram', () => {
  it.each([
    ['tg://socks?server=h.example&port=1&user=a%2Bb+c&pass=p=q', { username: 'a+b+c', password: 'p=q' }],
    ['https://t.me/socks?server=h.example&port=1', {}],
  ])('%s is read', async (link, login) => {
    expect(proxiesOf(await collect(link))).toEqual([{ protocol: 'socks5', ...HOST, ...login }]);
  });

  it.each([
    ['tg://socks?server=h.example&port=1&port=2', 'ambiguous'],
    ['tg://socks?server=h.example&port=1&secret=0', 'unknown-scheme'],
    ['tg://proxy?server=h.example&port=1', 'unknown-scheme'],
    ['tg://socks?server=h.example', 'missing-port'],
    ['tg://socks?server=h.example&port=0', 'bad-port'],
    ['tg://socks?port=1', 'not-a-proxy'],
    ['tg://socks?server=h.example&port=1&x=2', 'trailing-text'],
    ['tg://socks?server=h.example&port=1 x', 'trailing-text'],
  ])('%s is %s', async (link, code) => {
    expect(kindsOf(await collect(link))).toEqual([code]);
  });
});

describe('a plain line', () => {
  it.each(['', 'http://', 'https://', 'socks4://', 'socks4a://', 'socks5://', 'socks5h://'])(
    'after %j has its protocol, who resolves names, and a port up to 65535',
    async (scheme) => {
      const [, protocol = 'http', isRemote] = /^(\w+?)(a|h)?:/.exec(scheme) ?? [];
      const said = { protocol, ...(isRemote ? { remoteDns: true } : {}) };
      for (const [line, host, login] of [
        ['192.0.2.1:65535', '192.0.2.1', {}],
        ['h.example:65535', 'h.example', {}],
        ['localhost:65535', 'localhost', {}],
        ['u:p@192.0.2.1:65535', '192.0.2.1', { username: 'u', password: 'p' }],
        ['h.example:65535:u:p', 'h.example', { username: 'u', password: 'p' }],
        ['localhost:65535:u:p', 'localhost', { username: 'u', password: 'p' }],
      ] as const) {
        expect(proxiesOf(await collect(scheme + line))).toEqual([{ ...said, host, port: 65_535, ...login }]);
        expect(kindsOf(await collect((scheme + line).replace('65535', '65536')))).not.toContain('proxy');
      }
    },
  );

  it.each([
    'ss',
    'ssr',
    'vmess',
    'vless',
    'trojan',
    'hysteria',
    'hysteria2',
    'hy2',
    'tuic',
    'wireguard',
    'snell',
    'ssh',
    'anytls',
  ])('of the kind %s is rejected by name', async (kind) => {
    expect((await collect(`${kind}://u:p@h.example:1`))[0]).toMatchObject({
      code: 'unknown-scheme',
      reason: expect.stringContaining(`${kind} is not supported`),
    });
  });

  it('is read in the form that is asked for', async () => {
    const list = 'one.example:1:two.example:2';
    expect(proxiesOf(await collect(list, { format: 'user:pass:host:port' }))).toMatchObject([
      { host: 'two.example', username: 'one.example' },
    ]);
    expect(proxiesOf(await collect(list, { format: 'colon' }))).toMatchObject([
      { host: 'one.example', username: 'two.example' },
    ]);
    expect(kindsOf(await collect(list))).toEqual(['ambiguous']);
  });
});
