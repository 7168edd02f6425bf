import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  type ListedProxy,
  type ListFormat,
  ListFormatter,
  parseProxyList,
} from '../../../src/lists/index.ts';

const printable = (most: number): fc.Arbitrary<string> =>
  fc
    .string({
      unit: fc.oneof(fc.constantFrom(...'@:%#/,;"{}\\ |\'=+-＝＠'), fc.constant('\u00a0'), grapheme),
      minLength: 1,
      maxLength: most,
    })
    .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text) && Buffer.byteLength(text) <= 255);
const grapheme = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 });

const location = fc.record(
  {
    country: fc.constantFrom('DE', 'US', 'BR'),
    city: fc.constantFrom('São Paulo', 'Köln, "am" Rhein', 'X;Y'),
    latitude: fc.constantFrom(-90, 55.7487, 0, 90),
    asn: fc.integer({ min: 1, max: 4_294_967_295 }),
  },
  { requiredKeys: ['country'] },
);

const proxy: fc.Arbitrary<ListedProxy> = fc
  .record({
    protocol: fc.constantFrom('http', 'https', 'socks4', 'socks5'),
    host: fc.constantFrom('192.0.2.1', '2001:db8::1', 'h.example', 'proxy', 'xn--bcher-kva.example'),
    port: fc.integer({ min: 1, max: 65_535 }),
    login: fc.option(fc.record({ username: printable(20), password: printable(20) }), { nil: undefined }),
    name: fc.option(printable(20), { nil: undefined }),
    region: fc.option(printable(10), { nil: undefined }),
    geolocation: fc.option(location, { nil: undefined }),
    latency: fc.option(fc.nat(), { nil: undefined }),
    remoteDns: fc.constantFrom(undefined, true, false),
    rotateUrl: fc.constantFrom(
      undefined,
      'https://rotate.example/?key=a,b;"c"&x=%20#d',
      'http://192.0.2.1:8/-',
    ),
  })
  .map(({ login, remoteDns, ...rest }) => {
    const dns = rest.protocol.startsWith('socks') ? { remoteDns } : {};
    return JSON.parse(JSON.stringify({ ...rest, ...dns, ...login })) as ListedProxy;
  });

/** Writes proxies, with the number of those left out, and reads them back. */
async function roundTrip(proxies: readonly ListedProxy[], format: ExportFormat) {
  const formatter = new ListFormatter({ format, reveal: true });
  let text = formatter.begin();
  const kept: ListedProxy[] = [];
  const reasons: string[] = [];
  for (const each of proxies) {
    const formatted = formatter.write(each);
    if ('text' in formatted) {
      text += formatted.text;
      kept.push(each);
    } else {
      reasons.push(formatted.leftOut);
    }
  }
  text += formatter.end();
  const back: ListedProxy[] = [];
  for await (const verdict of parseProxyList([Buffer.from(text)], { format: readAs(format) })) {
    if (verdict.kind === 'proxy') back.push(verdict.proxy);
    else if (verdict.kind === 'refused') throw new Error(`refused: ${verdict.reason}`);
  }
  return { kept, back, reasons };
}

const readAs = (format: ExportFormat): ListFormat => (format === 'colon' ? 'auto' : format);

/** What a line has room for. */
const endpoint = ({ protocol, host, port, username, password }: ListedProxy): object =>
  JSON.parse(JSON.stringify({ protocol, host, port, username, password }));

describe('a CSV', () => {
  const named = (text: string): ListedProxy => ({
    ...{ protocol: 'http', host: 'h.example', port: 1, username: text, password: text, name: text },
    region: text,
    geolocation: { country: 'DE', city: text.trim(), longitude: -122.4 },
  });
  const csv = (text: string): string => {
    const formatted = new ListFormatter({ format: 'csv', reveal: true }).write(named(text));
    if ('leftOut' in formatted) throw new Error(formatted.leftOut);
    return formatted.text;
  };

  it.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(1)',
    '＝1',
    '＋1',
    '－1',
    '＠1',
    ' =1',
    "'=1",
    '"=1"',
    'x;=1',
    "x|'@a",
    ';;=1',
  ])('has no live formula of %s, and gives it back', async (text) => {
    const row = csv(text);
    expect(row).not.toMatch(/(?:^|[,;|])[\s"]*[=+@＝＋－＠]/u);
    expect(row).toMatch(/,-122\.4,.*,yes$/);
    const { back } = await roundTrip([named(text)], 'csv');
    expect(back).toEqual([named(text)]);
  });

  it('of others keeps its apostrophes, and harmless rows of ours have none', async () => {
    expect(csv("it's")).not.toContain('yes');
    expect(csv("'quoted'")).toContain(",'quoted',");
    const verdicts = [];
    for await (const verdict of parseProxyList("host,port,username,password\nh.example,1,u,'=1\n"))
      verdicts.push(verdict);
    expect(verdicts).toContainEqual(
      expect.objectContaining({ proxy: expect.objectContaining({ password: "'=1" }) }),
    );
  });

  it('fills a layout with nothing but its fields', () => {
    const formatter = new ListFormatter({
      format: 'template',
      layout: '{protocol}://{host}:{port}#{constructor}{toString}',
    });
    const formatted = formatter.write({ protocol: 'http', host: 'h.example', port: 1 });
    expect('text' in formatted && formatted.text).toBe('http://h.example:1#{constructor}{toString}');
  });
});

describe('any proxy, with any printable username and password,', () => {
  it.each(['urls', 'template'] as const)(
    'comes back from %s also if it looks like something else',
    async (format) => {
      const texts = [
        '192.0.2.9',
        'h.example',
        'socks5',
        'http',
        'US',
        'elite',
        '"q"',
        'a b',
        'x:1',
        '80',
        'é',
        '\u200b',
        'https://x/?k',
      ];
      const proxies = texts.flatMap((username) =>
        texts.map(
          (password): ListedProxy => ({
            ...{ protocol: 'http', host: 'h.example', port: 1 },
            username,
            password,
            name: password,
          }),
        ),
      );
      const { kept, back, reasons } = await roundTrip(proxies, format);
      expect(reasons).toEqual([]);
      expect(back).toEqual(kept);
    },
  );

  it.each(EXPORT_FORMATS)('comes back from %s as it was, or is said to be left out', async (format) => {
    const isRecord = format === 'csv' || format === 'json';
    await fc.assert(
      fc.asyncProperty(fc.array(proxy, { maxLength: 8 }), async (proxies) => {
        const { kept, back, reasons } = await roundTrip(proxies, format);
        expect(back.map(isRecord ? (each) => each : endpoint)).toEqual(
          kept.map(isRecord ? (each) => each : endpoint),
        );
        expect(kept.length + reasons.length).toBe(proxies.length);
        // Only lines without percent escapes cannot carry everything.
        if (format !== 'colon') expect(reasons).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each(EXPORT_FORMATS)('says what %s leaves out of it', (format) => {
    const formatter = new ListFormatter({ format, reveal: true });
    const lostOf = (proxy: Partial<ListedProxy>): unknown =>
      formatter.write({ protocol: 'socks5', host: 'h.example', port: 1, ...proxy });
    const isRecord = format === 'csv' || format === 'json';
    const rotateUrl = 'https://rotate.example/';
    expect(lostOf({ remoteDns: true })).toMatchObject({ lost: [] });
    expect(lostOf({ remoteDns: false })).toMatchObject({ lost: isRecord ? [] : ['remoteDns'] });
    expect(lostOf({ rotateUrl })).toMatchObject({ lost: isRecord ? [] : ['rotateUrl'] });
  });

  it('is left out of colons where they would read as another, with a reason', async () => {
    const login = (username: string, password: string): ListedProxy => ({
      protocol: 'http',
      host: 'h.example',
      port: 1,
      username,
      password,
    });
    const { kept, reasons } = await roundTrip(
      [login('a:b', 'c'), login('g.example', '80'), login('u', 'p '), login('u', 'p:@#%')],
      'colon',
    );
    expect(kept).toEqual([login('u', 'p:@#%')]);
    expect(reasons).toEqual([
      'an import would read another proxy',
      expect.stringContaining('refuse it: this reads both as'),
      'an import would read another proxy',
    ]);
  });

  it('is masked without reveal, and what is masked is refused again', async () => {
    for (const format of EXPORT_FORMATS) {
      const formatter = new ListFormatter({ format });
      const formatted = formatter.write({
        protocol: 'http',
        host: 'h.example',
        port: 1,
        username: 'canary-u',
        password: 'canary-p',
        rotateUrl: 'https://canary.example/',
      });
      const text = formatter.begin() + ('text' in formatted ? formatted.text : '') + formatter.end();
      expect(text).toContain('***');
      expect(text).not.toContain('canary');
      for await (const verdict of parseProxyList(text)) expect(verdict.kind).not.toBe('proxy');
    }
  });
});
