import { describe, expect, it } from 'vitest';
import type { RefusalCode } from '../../src/lists/index.ts';
import { collect } from '../support/verdicts.ts';

/** How a proxy with a login is written in each format, the line on which it stands, and whether a rejection shows its address. */
const READERS: Readonly<
  Record<string, { wrap: (fields: Fields) => string; line: number; isShown: boolean }>
> = {
  CSV: {
    line: 3,
    isShown: false,
    wrap: (fields) => `# note\n${Object.keys(fields).join(',')}\n${Object.values(fields).join(',')}\n`,
  },
  JSON: { line: 3, isShown: true, wrap: (fields) => `[\n"a.example:1",\n${JSON.stringify(fields)}]` },
  'JSON lines': {
    line: 2,
    isShown: true,
    wrap: (fields) => `{"host":"a.example","port":1}\n${JSON.stringify(fields)}\n`,
  },
  'YAML in braces': {
    line: 3,
    isShown: true,
    wrap: (fields) => `proxies:\n# note\n  - ${JSON.stringify(fields)}\n`,
  },
  'a block of YAML': {
    line: 2,
    isShown: true,
    wrap: (fields) =>
      `proxies:\n- ${Object.entries(fields)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
        .join('\n  ')}\n`,
  },
  'a list of YAML in brackets': {
    line: 3,
    isShown: true,
    wrap: (fields) => `proxies: [\n\n${JSON.stringify(fields)}]\n`,
  },
};
type Fields = Record<string, string>;
const SECRET = 'canary77x';
const FIELDS: Fields = {
  protocol: 'socks5',
  host: 'h.example',
  port: '80',
  username: `u${SECRET}`,
  password: `p${SECRET}`,
};

const SLIPS: readonly (readonly [code: RefusalCode, slip: Fields, reason: string])[] = [
  ['bad-port', { port: '0' }, 'the port is not a number from 1 to 65535'],
  ['bad-port', { port: '65536' }, 'the port is not a number from 1 to 65535'],
  ['bad-host', { host: '192.0.2.300' }, 'the host is neither an IP address nor a name'],
  ['unknown-scheme', { protocol: 'vmess' }, 'vmess is not supported'],
  ['unknown-scheme', { protocol: 'socks' }, 'SOCKS has two versions'],
  ['bad-credentials', { username: '***', password: '***' }, 'the login is masked'],
  ['bad-credentials', { username: 'none', password: 'null' }, 'the login is the word'],
  ['bad-credentials', { api_token: SECRET }, '"api_token" may hold a login and is not read'],
  ['bad-credentials', { rotateUrl: '***' }, 'the change-IP URL is masked'],
  ['bad-credentials', { rotateUrl: `ftp://${SECRET}.example/` }, 'the change-IP URL is not valid'],
  ['bad-record', { remoteDns: SECRET }, '"remoteDns" is neither true nor false'],
  ['ambiguous', { user: SECRET }, 'two different usernames'],
  ['ambiguous', { pass: SECRET }, 'two different passwords'],
  ['ambiguous', { type: 'socks4' }, 'different protocols'],
  ['ambiguous', { url: `socks5://x:${SECRET}@h.example:81` }, 'different'],
  ['ambiguous', { protocol: 'socks5h', remoteDns: 'false' }, 'disagree on who resolves names'],
  ['bad-record', { protocol: 'http', remoteDns: 'false' }, 'remoteDns is false, and the protocol is http'],
];

describe.each(Object.entries(READERS))('a proxy in %s', (_, { wrap, line, isShown }) => {
  it('is read with its login', async () => {
    const { protocol, host, username, password } = FIELDS;
    expect((await collect(wrap(FIELDS))).at(-1)).toMatchObject({
      kind: 'proxy',
      line,
      proxy: { protocol, host, port: 80, username, password },
    });
  });

  it.each(SLIPS)('is %s with %j, in its line, masked, and with the reason', async (code, slip, reason) => {
    const verdicts = (await collect(wrap({ ...FIELDS, ...slip }))).filter(({ kind }) => kind === 'refused');
    expect(verdicts).toMatchObject([{ code, line, reason: expect.stringContaining(reason) }]);
    const [verdict] = verdicts;
    if (verdict?.kind !== 'refused') return;
    const host = slip.host ?? FIELDS.host ?? '';
    expect(verdict.text).toBe(
      code === 'ambiguous' || !isShown ? '***' : `${host}:${slip.port ?? FIELDS.port}`,
    );
    expect(JSON.stringify(verdicts)).not.toContain(SECRET);
  });
});

describe('a login that a list would not have is rejected in the form that is asked for too:', () => {
  it.each(['colon', 'host:port:user:pass'] as const)('a URL as the password, in %s', async (format) => {
    expect(await collect('h.example:1:u:http://canary', { format })).toMatchObject([
      { code: 'ambiguous', reason: 'a URL is in the login' },
    ]);
  });
});

describe('a line is rejected', () => {
  it.each<[line: string, code: RefusalCode, column: number, text: string]>([
    ['  h.example:0', 'bad-port', 13, 'h.example:0'],
    ['h.example:99999:u:canary', 'bad-port', 11, '***'],
    ['h.example', 'missing-port', 10, 'h.example'],
    ['  http://h.example', 'missing-port', 19, 'http://h.example'],
    ['http://u:canary@h.example:0', 'bad-port', 27, 'http://***@h.example:0'],
    ['vmess://canary', 'unknown-scheme', 1, '***'],
    ['[2001:db8::1', 'bad-host', 1, '[2001:db8::1'],
    ['[2001:db8::1]x:80', 'bad-host', 14, '***'],
    ['2001:db8::1:8080', 'ambiguous', 1, '2001:db8::1:8080'],
    ['192.0.2.1:80/canary', 'trailing-text', 13, '192.0.2.1:80***'],
    ['192.0.2.1:80 canary', 'trailing-text', 13, '192.0.2.1:80***'],
    ['192.0.2.1:80:canary', 'bad-credentials', 14, '192.0.2.1:80***'],
    ['192.0.2.1:80 # user: canary', 'ambiguous', 13, '***'],
    ['@h.example:1', 'bad-credentials', 1, '***@h.example:1'],
    ['u:canary p@h.example:1', 'ambiguous', 1, '***'],
    ['h.example:1:u:canary:US', 'ambiguous', 13, '***'],
    ['h.example:1:u:socks5', 'ambiguous', 13, '***'],
    ['h.example:1:u:"canary"', 'ambiguous', 13, '***'],
    ['h.example:1:u:***', 'bad-credentials', 13, '***'],
    ['US,u:canary@h.example:1', 'ambiguous', 1, '***'],
    ['HTTPS_PROXY=h.example:1:u:canary', 'ambiguous', 13, '***'],
    ['a:1:b:2', 'ambiguous', 1, '***'],
    ['http://h.example:1,h.example:2', 'trailing-text', 19, 'http://***'],
    ['h.example:1:u:http://canary', 'ambiguous', 13, '***'],
    ['http://u:http://canary@h.example:1', 'ambiguous', 8, 'http://***'],
    ['192.0.2.1:80:u:canary192.0.2.2:81', 'ambiguous', 14, '***'],
    ['192.0.2.1:80:u:canary192.0.2.2:81x', 'ambiguous', 14, '***'],
    ['h.example:1:u:canary_US', 'ambiguous', 13, '***'],
    ['h.example:1:u:canary@Germany', 'ambiguous', 13, '***'],
    ['h.example:1:u:canary/elite', 'ambiguous', 13, '***'],
    ['h.example:1:u:canary:,g.example:2:u:canary:', 'ambiguous', 22, '***'],
    ['192.0.2.1,80,user,canary;', 'ambiguous', 1, '***'],
  ])('%j: %s at column %i, shown as %j', async (line, code, column, text) => {
    const verdicts = await collect(`# note\n${line}\n`, { format: 'text' });
    expect(verdicts[1]).toMatchObject({ kind: 'refused', code, column, text, line: 2 });
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});
