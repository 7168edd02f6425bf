import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ListVerdict, type ProxyProtocol, parseProxyList } from '../../src/lists/index.ts';
import { collect } from '../support/verdicts.ts';

function countKinds(verdicts: readonly ListVerdict[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verdicts) {
    const kind = verdict.kind === 'refused' ? verdict.code : verdict.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describe('parseProxyList', () => {
  it('gives a verdict for each line of the example, as many as there are', async () => {
    const text = readFileSync(new URL('../../examples/proxies.txt', import.meta.url), 'utf8');
    const verdicts = await collect(text);
    expect(verdicts.map(({ line }) => line)).toEqual(text.split('\n').map((_, index) => index + 1));
    expect(countKinds(verdicts)).toEqual({
      proxy: 337,
      comment: 12,
      blank: 10,
      'bad-host': 4,
      'missing-port': 2,
      'bad-port': 2,
      'unknown-scheme': 1,
      ambiguous: 2,
      'bad-credentials': 2,
      'not-a-proxy': 1,
    });
  });

  it.each([
    ['# host port user pass\nh.example:1:u:p\n', ['comment', 'proxy']],
    ['IP Port\nh.example:1\n', ['refused', 'proxy']],
    ['host port\nh.example 1\n', ['comment', 'proxy']],
    ['{session}-u:p@h.example:1\n', ['proxy']],
    ['proxy.example.com:8080;user;pass\nh.example:1\n', ['refused', 'proxy']],
  ])('is not mistaken for another format: %j', async (text, kinds) => {
    expect((await collect(text)).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('ends lines at LF, CRLF and CR, and needs none at the end', async () => {
    const verdicts = await collect('h.example:1\r\nh.example:2\rh.example:3\n\nh.example:4');
    expect(
      verdicts.map((verdict) =>
        verdict.kind === 'proxy' ? [verdict.line, verdict.proxy.port] : verdict.kind,
      ),
    ).toEqual([[1, 1], [2, 2], [3, 3], 'blank', [5, 4]]);
    expect(await collect('')).toEqual([]);
  });

  it('does not care how the bytes are cut, even inside a character', async () => {
    const bytes = Buffer.from('\uFEFFbücher.example:1:ü:pä\r\n\r\nh.example:2\n');
    const whole = await collect([bytes]);
    expect(whole.map(({ kind }) => kind)).toEqual(['proxy', 'blank', 'proxy']);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.sort((x, y) => x - y), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(await collect(pieces)).toEqual(whole);
      }),
    );
  });

  it('refuses a line that is too long without keeping it, and continues', async () => {
    async function* hostile(): AsyncGenerator<string> {
      for (let n = 0; n < 2000; n++) yield 'x'.repeat(10_000);
      yield '\nh.example:1\n';
    }
    const verdicts = await collect(hostile());
    expect(verdicts).toMatchObject([
      { kind: 'refused', code: 'line-too-long', line: 1, text: '' },
      { kind: 'proxy', line: 2 },
    ]);
  });
});

/** Real public lists, beside the repository where they are; nothing is ever contacted. */
const LISTS = new URL('../../../shared/data/proxy-lists/', import.meta.url);

// Counted with awk and Python, not with this parser: lines, those that begin with an IPv4 address and a port, and by scheme.
describe.runIf(existsSync(LISTS))('real lists (skipped where they are not beside the repository)', () => {
  const read = (name: string, protocol?: ProxyProtocol): Promise<ListVerdict[]> =>
    collect([readFileSync(new URL(name, LISTS))], { protocol });
  const byProtocol = (verdicts: readonly ListVerdict[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const verdict of verdicts)
      if (verdict.kind === 'proxy')
        counts[verdict.proxy.protocol] = (counts[verdict.proxy.protocol] ?? 0) + 1;
    return counts;
  };

  it('all-protocols.txt: 492 lines, every one a proxy', async () => {
    const verdicts = await read('all-protocols.txt');
    expect(countKinds(verdicts)).toEqual({ proxy: 492 });
    expect(byProtocol(verdicts)).toEqual({ http: 318, socks4: 95, socks5: 79 });
  });

  it('socks5.txt: 79 lines, every one a proxy of the protocol that is given', async () => {
    const verdicts = await read('socks5.txt', 'socks5');
    expect(countKinds(verdicts)).toEqual({ proxy: 79 });
    expect(byProtocol(verdicts)).toEqual({ socks5: 79 });
  });

  it('annotated.txt: 408 lines, of which 400 are proxies, 6 banner and footer, 2 blank', async () => {
    const verdicts = await read('annotated.txt');
    expect(countKinds(verdicts)).toEqual({ proxy: 400, 'not-a-proxy': 6, blank: 2 });
    const refused = verdicts.flatMap((verdict) => (verdict.kind === 'refused' ? [verdict.line] : []));
    expect(refused).toEqual([1, 2, 3, 4, 5, 408]);
    expect(verdicts[6]).toMatchObject({
      line: 7,
      proxy: { host: '170.239.207.241', port: 999, geolocation: { country: 'CO' } },
    });
    expect(verdicts.every((v) => v.kind !== 'proxy' || v.proxy.geolocation?.country?.length === 2)).toBe(
      true,
    );
  });

  it('proxies.json: 200 records, every one a proxy with its country', async () => {
    const verdicts = await read('proxies.json');
    expect(countKinds(verdicts)).toEqual({ proxy: 200 });
    expect(byProtocol(verdicts)).toEqual({ http: 119, socks4: 41, socks5: 40 });
    expect(verdicts[0]).toMatchObject({
      proxy: {
        protocol: 'socks4',
        host: '144.31.222.106',
        port: 7890,
        latency: 180,
        geolocation: {
          country: 'RU',
          city: 'Moscow',
          latitude: 55.7487,
          longitude: 37.6187,
          asn: 13335,
          timezone: 'Europe/Moscow',
        },
      },
    });
    const countries = verdicts.flatMap((v) => (v.kind === 'proxy' ? [v.proxy.geolocation?.country] : []));
    expect(countries.filter((country) => country === 'RU')).toHaveLength(30);
    expect(countries.filter((country) => country === undefined)).toHaveLength(0);
  });
});

it('a heading gives its protocol to the lines after it that name none', async () => {
  const protocolsOf = async (text: string, options = {}): Promise<string[]> => {
    const found: string[] = [];
    for await (const verdict of parseProxyList(text, options))
      found.push(verdict.kind === 'proxy' ? verdict.proxy.protocol : verdict.kind);
    return found;
  };
  for (const heading of [
    '# SOCKS5',
    '[SOCKS5]',
    '=== socks5 ===',
    'socks5:',
    'SOCKS5 proxies',
    '// SOCKS v5 proxy list',
    '** socks5 **',
  ])
    expect([
      heading,
      await protocolsOf(`a.example:1\n${heading}\nb.example:2:u:p\nhttp://c.example:3\n`),
    ]).toEqual([heading, ['http', 'comment', 'socks5', 'http']]);
  const several = '# HTTP\na.example:1\n\n# Updated today\nb.example:2\n# SOCKS4\nc.example:3\n';
  expect(await protocolsOf(several, { strictProtocol: true })).toEqual([
    'comment',
    'http',
    'blank',
    'comment',
    'http',
    'comment',
    'socks4',
  ]);
  for (const rows of ['ip,port\na.example,1', 'ip port\na.example 1', '"a.example","1","u","p"'])
    expect([rows, (await protocolsOf(`# SOCKS5\n${rows}\n`)).at(-1)]).toEqual([rows, 'socks5']);
  const table = 'HTTP\nip,port\na.example,1\n[SOCKS4]\nb.example,2\nSOCKS5:\nc.example,3\n';
  expect(await protocolsOf(table)).toEqual([
    'comment',
    'comment',
    'http',
    'comment',
    'socks4',
    'comment',
    'socks5',
  ]);
  for (const heading of ['# SOCKS', 'SOCKS4/5'])
    expect(await protocolsOf(`${heading}\na.example:1\nsocks5://b.example:2\n`)).toEqual([
      'comment',
      'refused',
      'socks5',
    ]);
  for (const line of ['# my socks5 proxies are fast', '# socks5://a', 'nothing'])
    expect((await protocolsOf(`${line}\na.example:1\n`))[1]).toBe('http');
});
