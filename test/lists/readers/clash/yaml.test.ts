import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { ListVerdict } from '../../../../src/lists/index.ts';
import { collect, proxiesOf } from '../../../support/verdicts.ts';

const refusedOf = (verdicts: readonly ListVerdict[]): unknown[] =>
  verdicts.flatMap((verdict) => (verdict.kind === 'refused' ? [[verdict.line, verdict.code]] : []));

const A = '{name: a, type: socks5, server: 192.0.2.1, port: 1080}';
const B = '{name: b, type: http, server: h.example, port: 80, username: u, password: p}';
const PROXY_A = { protocol: 'socks5', host: '192.0.2.1', port: 1080, name: 'a' };
const PROXY_B = { protocol: 'http', host: 'h.example', port: 80, username: 'u', password: 'p', name: 'b' };
const BLOCK_A = '- name: a\n    type: socks5\n    server: 192.0.2.1\n    port: 1080';

describe('a YAML list', () => {
  const lists: [what: string, text: string][] = [
    ['a block list', `proxies:\n  - ${A}\n  - ${B}\n`],
    ['entries below the key, not deeper', `proxies:\n- ${A}\n- ${B}\n`],
    ['an indented key', `  proxies:\n  ${BLOCK_A}\n  - ${B}\n`],
    ['a quoted key', `"proxies":\n  - ${A}\n  - ${B}\n`],
    ["a quoted key, ' and a blank", `'proxies' :\n  - ${A}\n  - ${B}\n`],
    ['the key of old configurations', `port: 7890\nProxy:\n- ${A}\n- ${B}\nProxy Group:\n- {name: g}\n`],
    ['a key inside another', `provider:\n  proxies:\n    - ${A}\n    - ${B}\n`],
    ['a payload', `payload:\n  - ${A}\n  - ${B}\n`],
    [
      'a provider with a payload',
      `proxy-providers:\n  p:\n    type: inline\n    payload:\n      - ${A}\n      - ${B}\n`,
    ],
    ['no key', `- ${A}\n- ${B}\n`],
    ['no key, blocks', `# c\n${BLOCK_A.replaceAll('    ', '  ')}\n\n- ${B}\n`],
    ['several documents', `---\nproxies:\n  - ${A}\n...\n--- # second\nproxies:\n  - ${B}\n`],
    [
      'CRLF, comments and blank lines between',
      `proxies:\r\n\r\n  # c\r\n  - ${A} # c\r\n  # c\r\n\r\n  - ${B}\r\n`,
    ],
    [
      'comments inside',
      `proxies:\n  - name: a\n    # c\n\n    type: socks5 # c\n    server: 192.0.2.1\n    port: 1080\n  - ${B}\n`,
    ],
    ['a list on the line of its key', `proxies: [${A}, ${B}]\nmode: rule\n`],
    ['a list over several lines', `proxies: [\n  ${A},\n\n  # it's { one\n  ${B},\n]\nmode: rule\n`],
    ['a list below its key', `proxies: # c\n  [${A},\n  ${B}]\n`],
    ['an anchor and a tag', `proxies: &all !!seq\n  - ${A}\n  - &b ${B}\n`],
    ['a document in braces', `{port: 7890, proxies: [${A}, ${B}]}`],
    ['a list in brackets', `[${A}, ${B}]\n`],
    [
      'JSON on the line of the key',
      `proxies: [{"name":"a","type":"socks5","server":"192.0.2.1","port":1080}, ${B}]`,
    ],
    ['entries that are indented by less than the first', `proxies:\n    - ${A}\n  - ${B}\n`],
    [
      'settings before and after',
      `mixed-port: 7890\nproxies:\n  - ${A}\n  - ${B}\nproxy-groups:\n  - name: g\n    proxies:\n      - a\nrules:\n  - MATCH,g\n`,
    ],
    [
      'rules first',
      `allow-lan: true\nmixed-port: 7890\nrules:\n${'  - DOMAIN,x.example,g\n'.repeat(4000)}proxies:\n  - ${A}\n  - ${B}\n`,
    ],
  ];
  it.each(lists)('is read: %s', async (_, text) => {
    const verdicts = await collect(text);
    expect(proxiesOf(verdicts)).toEqual([PROXY_A, PROXY_B]);
    expect(refusedOf(verdicts)).toEqual([]);
    expect(proxiesOf(await collect(text, { format: 'clash' }))).toEqual([PROXY_A, PROXY_B]);
  });

  it.each(lists)('does not care how it is cut: %s', async (_, text) => {
    if (text.length > 5000) return;
    const whole = await collect(text);
    const options = { format: 'clash' } as const;
    for (let size = 1; size < 40; size += 3) {
      function* pieces(): Generator<string> {
        for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
      }
      expect(await collect(pieces(), options)).toEqual(whole);
    }
  });

  it('may be longer than a line may, in brackets on one line', async () => {
    const text = `proxies: [${Array.from({ length: 3000 }, () => A).join(', ')}]\nproxies: [${B}]\n`;
    const verdicts = await collect(text);
    expect(verdicts).toHaveLength(3001);
    expect(verdicts.at(-1)).toMatchObject({ line: 2, proxy: PROXY_B });
  });

  it('may hold proxies as texts', async () => {
    const text = 'proxies:\n  - http://u:p@h.example:1 # c\n  - "192.0.2.1:80"\n  - DIRECT\n';
    const verdicts = await collect(text);
    expect(proxiesOf(verdicts)).toEqual([
      { protocol: 'http', host: 'h.example', port: 1, username: 'u', password: 'p' },
      { protocol: 'http', host: '192.0.2.1', port: 80 },
    ]);
    expect(refusedOf(verdicts)).toEqual([[4, 'missing-port']]);
    expect(proxiesOf(await collect("['http://192.0.2.1:80', 'socks5://192.0.2.2:81']"))).toHaveLength(2);
  });
});

describe('a list in YAML', () => {
  it('of another name than proxies is read where it surely holds proxies', async () => {
    const config = [
      'proxies:\n  - http://192.0.2.9:80\nupstreams:',
      '  - address: 192.0.2.1:80\n    auth: {user: u, pass: p}',
      '  - url: http://u:p@192.0.2.1:80',
      '  - proxy: 192.0.2.1:80:u:p',
      '  - 192.0.2.1:80:u:p',
      '  - {type: url-test, url: http://www.example/generate_204}',
      '  - 192.0.2.1:80',
    ];
    const proxy = { protocol: 'http', host: '192.0.2.1', port: 80, username: 'u', password: 'p' };
    const verdicts = await collect(config.join('\n'));
    expect(proxiesOf(verdicts).slice(1)).toEqual([proxy, proxy, proxy, proxy]);
    expect(verdicts.filter(({ kind }) => kind === 'refused')).toMatchObject([
      { line: 10, reason: expect.stringContaining('below proxies:') },
    ]);
  });
});

describe('a list in brackets', () => {
  it.each(['', ' ', ' # c d', ' canary x'])(
    'and %j after it read the same however they are cut',
    async (rest) => {
      const text = `proxies: [http://192.0.2.1:80]${rest}\nport: 1\n`;
      const whole = await collect(text);
      expect(await collect(Readable.from([...text]))).toEqual(whole);
      expect(whole.filter(({ kind }) => kind === 'refused')).toHaveLength(rest.includes('canary') ? 1 : 0);
      expect(JSON.stringify(whole)).not.toContain('canary');
    },
  );
});

describe('null in YAML', () => {
  it.each(['~', 'null', 'Null', 'NULL', ''])('%j is absent, and text in quotes', async (word) => {
    const flow = `{name: ${word}, type: http, server: h.example, port: 1, username: ${word}, password: ${word}}`;
    const block = `name: ${word}\n    type: http\n    server: h.example\n    port: 1\n    username: ${word}\n    password: ${word}`;
    const plain = { protocol: 'http', host: 'h.example', port: 1 };
    expect(proxiesOf(await collect(`proxies:\n  - ${flow}\n  - ${block}\nmode: x\n`))).toEqual([
      plain,
      plain,
    ]);
    const quoted = `{name: "${word}", type: http, server: h.example, port: 1, username: u, password: '${word}'}`;
    const texts = { ...plain, ...(word === '' ? {} : { name: word }), username: 'u', password: word };
    expect(proxiesOf(await collect(`proxies:\n  - ${quoted}\n`))).toEqual([texts]);
  });

  it('leaves other words and numbers as they stand', async () => {
    const text = `proxies:\n  - {type: http, server: h.example, port: 1, username: nULL, password: 0x1F}\n  - {type: http, server: h.example, port: 2, username: true, password: 007}\n`;
    expect(proxiesOf(await collect(text))).toMatchObject([
      { username: 'nULL', password: '0x1F' },
      { username: 'true', password: '007' },
    ]);
  });
});

describe('YAML that is not read', () => {
  const rejected: [what: string, text: string, refused: unknown[]][] = [
    ['no proxies:', 'mixed-port: 7890\nallow-lan: true\nrules:\n  - MATCH,g\n', [[1, 'not-a-list']]],
    ['an empty list', 'mixed-port: 7890\nproxies: []\n', [[1, 'not-a-list']]],
    ['only null', 'mixed-port: 7890\nproxies: ~\n', [[1, 'not-a-list']]],
    [
      'a mapping',
      'proxies:\n  a:\n    type: http\n    server: h.example\n    port: 1\n',
      [[2, 'bad-record']],
    ],
    ['an alias', 'x: &x\n- {a: b}\nproxies: *x\n', [[3, 'bad-record']]],
    [
      'aliases inside',
      'x: &x {type: http}\nproxies:\n  - {<<: *x, server: h.example, port: 1}\n',
      [[3, 'bad-record']],
    ],
    [
      'a tag',
      'proxies:\n  - {type: http, server: h.example, port: 1, password: !!binary cA==, username: u}\n',
      [[2, 'bad-credentials']],
    ],
    [
      'a tag that is not known',
      'proxies:\n  - {type: http, server: h.example, port: !x 1}\n',
      [[2, 'bad-record']],
    ],
    [
      'tabs',
      `proxies:\n\t- ${A}\n\t- ${B}\n`,
      [
        [2, 'bad-record'],
        [3, 'bad-record'],
      ],
    ],
    [
      'a name twice',
      'proxies:\n  - {type: http, server: h.example, server: 192.0.2.1, port: 1}\n',
      [[2, 'bad-record']],
    ],
    ['a list that is not closed', `proxies: [${A}\n`, [[1, 'truncated']]],
    [
      'a list that does not end its line',
      `proxies: [{name: a}] ${A}\n`,
      [
        [1, 'not-a-proxy'],
        [1, 'bad-record'],
      ],
    ],
    [
      'a proxy in no list',
      'mixed-port: 1\nallow-lan: true\nx:\n  server: 192.0.2.1\n  port: 1\n',
      [[4, 'bad-record']],
    ],
    [
      'a dash without a blank',
      'mixed-port: 1\nproxies:\n-{name: a, type: http, server: h.example, port: 1}\n- {type: ss}\n',
      [
        [3, 'bad-record'],
        [4, 'unknown-scheme'],
      ],
    ],
    [
      'a proxy beside a key',
      'mixed-port: 1\nallow-lan: true\nproxy: http://192.0.2.1:80\n',
      [[3, 'bad-record']],
    ],
    [
      'a URL in no list',
      'mixed-port: 1\nallow-lan: true\nupstream: "http://u:p@192.0.2.1:1"\n',
      [[3, 'bad-record']],
    ],
    [
      'prose',
      `proxies:\n  - {name: a}\nBuy more!\n`,
      [
        [2, 'not-a-proxy'],
        [3, 'bad-record'],
      ],
    ],
    [
      'a text of several lines',
      'proxies:\n  - type: http\n    server: h.example\n    port: 1\n    username: u\n    password: |-\n      a\n      # b\n',
      [[2, 'bad-credentials']],
    ],
    [
      'a record without a port, in a list of another name',
      'payload:\n  - {name: a, type: http, server: h.example}\n',
      [[2, 'missing-port']],
    ],
  ];
  it.each(rejected)('is rejected: %s', async (_, text, refused) => {
    const verdicts = await collect(text);
    expect(refusedOf(verdicts)).toEqual(refused);
    expect(proxiesOf(verdicts)).toEqual([]);
  });

  it('says what a configuration without proxies lacks', async () => {
    const providers = await collect(
      'proxy-providers:\n  p: {type: http, url: "https://x.example/a"}\nrules:\n  - MATCH,p\n',
    );
    expect(providers.at(-1)).toMatchObject({ reason: expect.stringContaining('proxy-providers:') });
    const empty = await collect('mixed-port: 1\nallow-lan: true\nproxies:\n');
    expect(empty.at(-1)).toMatchObject({ reason: 'proxies: has no entry' });
    for (const text of ['', '# c\n', 'hello: world\n'])
      expect(refusedOf(await collect(text, { format: 'clash' }))).toEqual([[1, 'not-a-list']]);
  });

  it('keeps an entry that is too long out, and no other', async () => {
    const long = `{name: ${'x'.repeat(17_000)}, type: http, server: h.example, port: 1}`;
    for (const text of [
      `proxies:\n  - ${long}\n  - ${A}\n`,
      `proxies:\n  - name: a\n    x: ${'x'.repeat(9000)}\n    y: ${'x'.repeat(9000)}\n  - ${A}\n`,
      `proxies: [${long}, ${A}]\n`,
      `[${long}, ${A}]\n`,
    ]) {
      const verdicts = await collect(text);
      expect(proxiesOf(verdicts)).toEqual([PROXY_A]);
      expect(verdicts.filter(({ kind }) => kind === 'refused')).toMatchObject([{ code: 'line-too-long' }]);
    }
  });

  it('is a text if it is only a heading', async () => {
    expect(proxiesOf(await collect('Proxies:\n192.0.2.1:80\n192.0.2.2:80\n'))).toHaveLength(2);
  });

  it('never shows a login', async () => {
    const texts = [
      'proxies:\n  - {type: http, server: h.example, port: 99999, username: canary, password: canary}\n',
      'proxies:\n  - {type: http, server: h.example, username: "canary, password: canary}\n',
      'proxies:\n  - http://canary:canary@h.example\n',
      'mixed-port: 1\nallow-lan: true\nupstream: http://canary:canary@h.example:1\n',
      'proxies: [{server: canary: canary}, "canary:canary"] canary\n',
    ];
    for (const text of texts) {
      const verdicts = await collect(text);
      expect(refusedOf(verdicts)).not.toEqual([]);
      expect(JSON.stringify(verdicts)).not.toContain('canary');
    }
  });
});
