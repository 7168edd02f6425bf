import { describe, expect, it } from 'vitest';
import { fillTemplate, LIST_FORMATS, parseProxyList, placeholdersOf } from '../../src/lists/index.ts';
import { collect, kindsOf, proxiesOf } from '../support/verdicts.ts';

describe('the format that is asked for', () => {
  it.each([
    ['user:pass@host:port', 'u:p@h.example:1'],
    ['host:port@user:pass', 'h.example:1@u:p'],
    ['host:port:user:pass', 'h.example:1:u:p'],
    ['colon', 'h.example:1:u:p'],
    ['user:pass:host:port', 'u:p:h.example:1'],
    ['csv', 'host,port,user,pass\nh.example,1,u,p'],
    ['json', '{"host":"h.example","port":1,"user":"u","pass":"p"}'],
    ['clash', '- {server: h.example, port: 1, user: u, pass: p}'],
    ['proxychains', 'http h.example 1 u p'],
    ['text', 'h.example:1:u:p'],
    ['urls', 'http://u:p@h.example:1'],
    ['template', 'http://u:p@h.example:1'],
  ] as const)('%s reads %j, also below a heading', async (format, text) => {
    const proxy = { protocol: 'http', host: 'h.example', port: 1, username: 'u', password: 'p' };
    expect(proxiesOf(await collect(text, { format }))).toEqual([proxy]);
  });

  it('settles what reads two ways, in every line and below a heading', async () => {
    for (const text of ['a:1:b:2\n', 'SOCKS5\na:1:b:2\n']) {
      expect(kindsOf(await collect(text)).at(-1)).toBe('ambiguous');
      expect(proxiesOf(await collect(text, { format: 'host:port:user:pass' }))).toMatchObject([
        { host: 'a', port: 1, username: 'b', password: '2' },
      ]);
      expect(proxiesOf(await collect(text, { format: 'user:pass:host:port' }))).toMatchObject([
        { host: 'b', port: 2, username: 'a', password: '1' },
      ]);
    }
    const password = 'p@ss:w ord, (x)';
    expect(proxiesOf(await collect(`h.example:1:u:${password}`, { format: 'colon' }))).toMatchObject([
      { username: 'u', password },
    ]);
  });

  it('is the only one that is read', async () => {
    expect(proxiesOf(await collect('h.example:1:u:2', { format: 'user:pass:host:port' }))).toMatchObject([
      { host: 'u', port: 2, username: 'h.example', password: '1' },
    ]);
    for (const format of ['user:pass@host:port', 'host:port@user:pass'] as const)
      expect(proxiesOf(await collect('h.example:1:u:p', { format }))).toEqual([]);
    for (const format of ['host:port:user:pass', 'colon', 'user:pass:host:port'] as const)
      expect(proxiesOf(await collect('u:p@h.example:1', { format }))).toEqual([]);
  });

  it.each(LIST_FORMATS)('%s does not make a list of another document', async (format) => {
    for (const text of [
      '<!doctype html>\n<p>h.example:1</p>',
      'PK\u0003\u0004h.example:1',
      'SQLite format 3\0',
    ])
      expect(kindsOf(await collect(text, { format }))).toEqual(['not-a-list']);
  });
});

describe('the protocol that is asked for', () => {
  const lists = [
    'h.example:1',
    'h.example:1:u:p',
    '192.0.2.1:1',
    'h.example 1',
    'host,port\nh.example,1',
    '[{"host":"h.example","port":1}]',
    '[["192.0.2.1",1]]',
    'proxies:\n- {server: h.example, port: 1}',
    '{"proxies":["h.example:1"]}',
  ];

  it.each(lists)('is that of %j, which names none; strictly, it is rejected', async (list) => {
    expect(proxiesOf(await collect(list))).toMatchObject([{ protocol: 'http' }]);
    expect(proxiesOf(await collect(list, { protocol: 'socks4' }))).toMatchObject([{ protocol: 'socks4' }]);
    expect(kindsOf(await collect(list, { strictProtocol: true })).at(-1)).toBe('unknown-scheme');
  });

  it('is not that of a line that names its own', async () => {
    for (const line of [
      'https://h.example:1',
      'https://u:p@h.example:1',
      'https://192.0.2.1:1',
      'h.example:1 https',
      '[{"host":"h.example","port":1,"type":"https"}]',
    ])
      for (const strictProtocol of [false, true])
        expect(proxiesOf(await collect(line, { protocol: 'socks4', strictProtocol }))).toMatchObject([
          { protocol: 'https' },
        ]);
  });
});

describe('a short or long list', () => {
  it('of one byte, or of one character, is a list', async () => {
    expect(kindsOf(await collect(Buffer.from('x')))).toEqual(['missing-port']);
    expect(kindsOf(await collect(Buffer.from('#')))).toEqual(['comment']);
    expect(await collect(Buffer.from(''))).toEqual([]);
  });

  it('in one line is one document, however long', async () => {
    for (const length of [2, 3000]) {
      const records = Array.from({ length }, (_, n) => ({ host: 'h.example', port: n + 1 }));
      const lines = records.map(({ host, port }) => `${host}:${port}`);
      for (const list of [records, lines, { data: records }, { proxies: lines }])
        for (const end of ['', '\n', '\n\n'])
          expect(proxiesOf(await collect(JSON.stringify(list) + end))).toHaveLength(length);
    }
  });

  it('in one line that ends is a document too: an error message is no list, and a text has its column', async () => {
    for (const end of ['', '\n', '\r\n']) {
      expect(kindsOf(await collect(`{"error":"no credits"}${end}`))).toEqual(['not-a-list']);
      expect(await collect(`["h.example:1","h.example:0"]${end}`)).toMatchObject([
        {},
        { line: 1, column: 16 },
      ]);
    }
  });

  it('keeps all that is around the ends of its pieces', async () => {
    const lines = Array.from({ length: 12_000 }, (_, n) => `h${n}.example:${(n % 60_000) + 1}`);
    const text = lines.join('\r\n');
    expect(text.length).toBeGreaterThan(3 * 65_536);
    for (const list of [text, Buffer.from(text), lines])
      expect(
        (await collect(list)).map((verdict) =>
          verdict.kind === 'proxy' ? `${verdict.proxy.host}:${verdict.proxy.port}` : verdict,
        ),
      ).toEqual(lines);
  });
});

describe('a template', () => {
  const login = { username: 'u-{session}-{country}-{session}', password: '{ttl}{other}' };

  it('names each placeholder once, and is filled in everywhere', () => {
    expect(placeholdersOf(login)).toEqual(['session', 'country', 'ttl']);
    expect(placeholdersOf({ username: 'u', password: '{country}' })).toEqual(['country']);
    expect(placeholdersOf({ username: '{other}', password: 'p' })).toEqual([]);
    expect(fillTemplate(login, { session: 's', country: 'de', ttl: 0 })).toEqual({
      username: 'u-s-de-s',
      password: '0{other}',
    });
  });

  it.each(['session', 'country', 'ttl'] as const)(
    'without a value for %s is an error that names it',
    (name) => {
      const values = { session: 's', country: 'de', ttl: 5 };
      for (const value of [undefined, ''])
        expect(() => fillTemplate(login, { ...values, [name]: value })).toThrow(`give a ${name}.`);
    },
  );
});

describe('an array that is no list of lines', () => {
  it.each([
    ['a number', ['h.example:1', 5], 'at index 1 it has a number', 1],
    ['an empty place', ['h.example:1', undefined], 'at index 1 it has undefined', 1],
    ['the URL of a file', [new URL('http://h.example:1'), new URL('file:///x.txt')], 'The URL at index 1', 1],
    [
      'several lines in one',
      ['h.example:1', 'h.example:2\nh.example:3', 'x'],
      'at index 1 it has several lines',
      1,
    ],
    ['bytes beside texts', ['h.example:1', Buffer.from('x')], 'of the class Buffer', 1],
  ])('for %s says where', async (_, list, message, index) => {
    await expect(parseProxyList(list as never).next()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
      details: { index },
    });
  });

  it.each([
    [Promise.resolve('x'), ': await it first'],
    [new URL('file:///x.txt'), 'give { file: url }'],
    [{ file: 'a\0b' }, 'file must be a path'],
    [{ file: '' }, 'this is an empty text'],
    [{ file: new URL('http://h.example') }, 'this is an object of the class URL'],
    [new Map(), 'of the class Map'],
    [5, 'this is a number'],
    [null, 'this is null'],
  ])('nor is %s', async (list, message) => {
    await expect(parseProxyList(list as never).next()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
  });

  it('but of URLs is one of their whole text, with their ports', async () => {
    const urls = [
      'http://u:p@h.example',
      'https://h.example/',
      'socks5://h.example:1',
      'http://h.example:1#name',
    ].map((url) => new URL(url));
    const proxies = [
      { protocol: 'http', port: 80, username: 'u' },
      { protocol: 'https', port: 443 },
      { protocol: 'socks5', port: 1 },
      { protocol: 'http', port: 1, name: 'name' },
    ];
    expect(proxiesOf(await collect(urls))).toMatchObject(proxies);
    for (const [n, url] of urls.entries()) expect(proxiesOf(await collect(url))).toMatchObject([proxies[n]]);
  });
});

describe('a spreadsheet', () => {
  it('may name its separator, also above rows without a header', async () => {
    for (const above of ['sep=;', '"sep=;"', '\uFEFFSEP=;'])
      expect(
        proxiesOf(await collect(`${above}\n192.0.2.1;80;u;p,w\n`, { strictProtocol: false })),
      ).toMatchObject([{ username: 'u', password: 'p,w' }]);
  });
});
