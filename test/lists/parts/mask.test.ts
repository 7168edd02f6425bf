import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIST_FORMATS, type ListVerdict, parseProxyList } from '../../../src/lists/index.ts';
import { maskLine } from '../../../src/lists/parts/mask.ts';

type Rejected = Extract<ListVerdict, { kind: 'refused' }>;

async function rejections(...args: Parameters<typeof parseProxyList>): Promise<Rejected[]> {
  const rejected: Rejected[] = [];
  for await (const verdict of parseProxyList(...args)) if (verdict.kind === 'refused') rejected.push(verdict);
  return rejected;
}

describe('a rejected line that has nothing secret', () => {
  it.each([
    '192.0.2.10',
    '192.0.2.1:99999',
    '192.0.2.300:8080',
    '010.0.0.1:8080',
    'http://203.0.113.9',
    'ftp://203.0.113.9:21',
    'ftp://gate.example.com:21',
    'localhost',
    'localhost:99999',
    'gate.example.com',
    'http://gate.example.com/',
    'gate.provider.de',
    'h.example:99999',
    '[2001:db8::1]',
    '[2001:db8::1]:99999',
    '[2001:db8::1:8080',
    '2001:db8::99:8080',
    '192.0.2.1:99999 US-H! +',
    '192.0.2.1:99999 | DE | elite | 120ms',
    '192.0.2.1 => failed',
    '<br>',
    '</td></tr>',
    '</body> </html>',
    '-----',
    '{',
    '],',
    'Free proxy list',
    'Proxy list (#400) updated at Fri, 24 Mar 23 07:58:01 +0300',
    'Free open HTTP/HTTPS(SSL) proxy list  - TXT format - updated hourly.',
    'Last updated: yesterday',
    'Error: your subscription has expired',
    'Your IP address is not allowed.',
    '403 Forbidden',
    'socks6://192.0.2.1:1080',
    'ip:port',
    'Updated: 2026-01-01 12:00 UTC',
    'Total: 400 proxies',
    'this is not a proxy',
    'Sorry, there are no proxies today.',
    'Access denied',
  ])('is shown in full: %s', async (line) => {
    expect(await rejections(`h.example:1\n${line}`, { format: 'text' })).toMatchObject([
      { line: 2, text: line },
    ]);
  });

  it('is most of what is wrong in the example', async () => {
    const lines = readFileSync(new URL('../../../examples/proxies.txt', import.meta.url), 'utf8').split('\n');
    const rejected = await rejections(lines.join('\n'));
    const whole = rejected.filter(({ line, text }) => text === lines[line - 1]);
    expect(whole.length).toBeGreaterThanOrEqual(9);
    expect(JSON.stringify(rejected)).not.toMatch(/only-a-user|secret/);
  });
});

describe('a line that may have a login', () => {
  it.each([
    ['hunter2', '***'],
    ['correct horse battery staple', '***'],
    ['free proxy list hunter2', '***'],
    ['Password: free proxy list', '***'],
    ['user: free proxy list', '***'],
    ['free,proxy,list', '***'],
    ['free\tproxy\tlist', '***'],
    ['free free free', '***'],
    ['Total: hunter2', '***'],
    ['Total: 12345678', '***'],
    ['Updated: free hunter2', '***'],
    ['info: proxy', '***'],
    ['fReE proXy lIst', '***'],
    ['Free proxy list 12345678', '***'],
    ['<p>hunter2</p>', '***'],
    ['<a href="http://u:p@h.example">', '***'],
    ['john.doe', '***'],
    ['john.doe:12345', '***'],
    ['password.de', '***'],
    ['localhost:hunter2', '***'],
    ['https://lists.example/?token=hunter2', 'https://***'],
    ['192.0.2.1:80:u:p', '192.0.2.1:80***'],
    ['192.0.2.1 user pass', '192.0.2.1***'],
    ['192.0.2.1:80 US hunter2', '192.0.2.1:80***'],
    ['192.0.2.1:80 12345678', '192.0.2.1:80***'],
    ['192.0.2.1hunter2', '***'],
    ['[2001:db8::1]:80:u:p', '[2001:db8::1]:80***'],
    ['http://u:p@h.example:99999', 'http://***@h.example:99999'],
    ['u:p@192.0.2.1', '***@192.0.2.1'],
    ['u:p@h.example', '***@***'],
    // The address may be the end of a password, or the login stand after it.
    ['u:p@ss@h.example:99999', '***'],
    ['u:12345@h.example:99999', '***'],
    ['192.0.2.1:80@user.com:12345', '***'],
    ['[2001:db8::1]:80@user.com:12345', '***'],
    ['h.example:8O@user.com:12345', '***'],
    ['192.0.2.1:80:u:p@ss.com:80', '***'],
    ['192.0.2.1 80 u p@ss.com:80', '***'],
    ['curl -x http://u:p@h.example:80', '***'],
  ])('is masked: %s', (line, masked) => {
    expect(maskLine(line)).toBe(masked);
  });

  it('is masked whole if it is ambiguous', () => {
    expect(maskLine('http://a:1:b:2', 'ambiguous')).toBe('http://***');
    expect(maskLine('192.0.2.1:80 US', 'ambiguous')).toBe('***');
  });

  const FORMS: readonly ((login: { user: string; pass: string; host: string; port: string }) => string)[] = [
    ({ user, pass, host, port }) => `${host}:${port}:${user}:${pass}`,
    ({ user, pass, host, port }) => `${user}:${pass}@${host}:${port}`,
    ({ user, pass, host, port }) => `${user}:${pass}:${host}:${port}`,
    ({ user, pass, host, port }) => `${host}:${port}@${user}:${pass}`,
    ({ user, pass, host, port }) => `http://${user}:${pass}@${host}:${port}#name`,
    ({ user, pass, host, port }) => `socks5://${host}:${port}:${user}:${pass}`,
    ({ user, pass, host, port }) => `ftp://${user}:${pass}@${host}:${port}`,
    ({ user, pass, host, port }) => `(http)${host}:${port}:${user}:${pass}`,
    ({ user, pass, host, port }) => `${host},${port},${user},${pass}`,
    ({ user, pass, host, port }) => `${host}; ${port}; ${user}; ${pass}`,
    ({ user, pass, host, port }) => `${host}\t${port}\t${user}\t${pass}\thttp`,
    ({ user, pass, host, port }) => `${host} ${port} ${user} ${pass}`,
    ({ user, pass, host, port }) => `socks5 ${host} ${port} ${user} ${pass}`,
    ({ user, pass, host, port }) => `${host}:${port}|${user}|${pass}|US`,
    ({ user, pass, host, port }) => `${host}:${port}#${user}:${pass}`,
    ({ user, pass, host, port }) => `${host}:${port} US ${user} ${pass}`,
    ({ user, pass, host, port }) => `Proxy: ${host}:${port} Username: ${user} Password: ${pass}`,
    ({ user, pass, host, port }) => `HTTP_PROXY=http://${user}:${pass}@${host}:${port}`,
    ({ user, pass, host, port }) => `export https_proxy="http://${user}:${pass}@${host}:${port}/"`,
    ({ user, pass, host, port }) => `curl -x ${host}:${port} -U ${user}:${pass}`,
    ({ user, pass, host, port }) => `{"host":"${host}","port":"${port}","user":"${user}","pass":"${pass}"}`,
    ({ user, pass, host, port }) => `{"proxy":"${user}:${pass}@${host}:${port}"}`,
    ({ user, pass, host, port }) => `ip,port,username,password\n${host},${port},${user},${pass}`,
    ({ user, pass, host, port }) =>
      `proxies:\n  - {type: http, server: ${host}, port: ${port}, username: ${user}, password: ${pass}}`,
    ({ user, pass, host, port }) => `[ProxyList]\nhttp ${host} ${port} ${user} ${pass}`,
    ({ user, pass, host, port }) => `${host}:${port}\n${user}\n${pass}`,
    ({ user, pass }) => `${user}:${pass}`,
    ({ user, pass }) => `${user} ${pass}`,
    ({ pass }) => pass,
    ({ pass }) => `<td>${pass}</td>`,
    ({ pass }) => `Free proxy list, updated daily: ${pass}`,
  ];

  const characters = (all: string): fc.Arbitrary<string> => fc.constantFrom(...all);
  const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const secret = fc.oneof(
    fc.string({ unit: characters(LETTERS), minLength: 6, maxLength: 16 }),
    fc.string({ unit: characters(`${LETTERS}!$%^&*_.@:/#-+=?,;|~()[]{}`), minLength: 6, maxLength: 16 }),
    fc.string({ unit: characters('0123456789'), minLength: 5, maxLength: 10 }),
  );
  const login = fc.record({
    user: fc.oneof(secret, fc.constantFrom('me', 'bob.smith', 'customer-zone', 'US')),
    pass: secret,
    host: fc.constantFrom(
      '192.0.2.1',
      'gate.example.com',
      '[2001:db8::1]',
      'gate',
      'localhost',
      '192.0.2.300',
    ),
    port: fc.constantFrom('8080', '99999', '0', '', 'port'),
  });
  const mutation = fc.record({
    at: fc.nat({ max: 120 }),
    insert: fc.constantFrom('', ' ', ':', '@', '.', '/', '#', '"', ',', '\t', 'x', '1', '\u00a0', '\u200b'),
    skip: fc.nat({ max: 2 }),
  });

  /**
   * All parts of the password that have four characters and stand nowhere else in the line. Those of small letters, and
   * some numbers, may be in a reason by chance.
   */
  function partsOf(pass: string, line: string, at: number): string[] {
    const rest = at === -1 ? line : line.slice(0, at) + line.slice(at + pass.length);
    return Array.from({ length: pass.length - 3 }, (_, n) => pass.slice(n, n + 4)).filter(
      (part) => /[^a-z]/.test(part) && !`${rest} 65535 65536 16384 8192 8080`.includes(part),
    );
  }

  it('never shows a part of the password, in any form and with any slip', async () => {
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(
        login,
        fc.constantFrom(...FORMS),
        fc.array(mutation, { maxLength: 3 }),
        fc.constantFrom(...LIST_FORMATS),
        async (parts, form, mutations, format) => {
          const whole = form(parts);
          const secretParts = partsOf(parts.pass, whole, whole.lastIndexOf(parts.pass));
          const line = mutations.reduce(
            (text, { at, insert, skip }) => text.slice(0, at) + insert + text.slice(at + skip),
            whole,
          );
          // A password that a slip has made a part of the host's name is a host name to everyone.
          if (/[^\s:@,;|/"=#)]gate\.example/.test(line)) return;
          for (const { text, reason } of await rejections(line, { format })) {
            tried++;
            for (const part of secretParts)
              if (`${text}\n${reason}`.includes(part)) expect({ line, text, reason, part }).toBe('masked');
          }
        },
      ),
      { numRuns: Number(process.env.PROXYVAULT_MUTATIONS ?? 5000) },
    );
    expect(tried).toBeGreaterThan(2000);
  }, 600_000);
});

it.each([
  ['192.0.2.1:99999 FR horse', '192.0.2.1:99999***'],
  ['192.0.2.1:99999 US DE', '192.0.2.1:99999***'],
  ['192.0.2.1:99999 US high', '192.0.2.1:99999 US high'],
  ['please: use the proxy', '***'],
  ['Error: use the proxy', 'Error: use the proxy'],
  ['free proxy', '***'],
  ['Free proxy list 123', 'Free proxy list 123'],
  ['Free proxy list 1234', '***'],
  ['name.dev', '***'],
  ['name.dev:80', 'name.dev:80'],
])('a rejected line is shown only as far as its words are known: %s', (line, shown) => {
  expect(maskLine(line)).toBe(shown);
});
