import { describe, expect, it } from 'vitest';
import { matchingPatterns, normalizeDomainPattern } from '../../src/model/domain.ts';
import { parseHost, parsePort } from '../../src/model/host.ts';
import { isPrivateHost } from '../../src/model/private-host.ts';
import { webUrlProblem, withoutLogin } from '../../src/model/web-url.ts';

describe('a private network', () => {
  it.each([
    ['0.0.0.0', '0.255.255.255', ['1.0.0.0']],
    ['10.0.0.0', '10.255.255.255', ['9.255.255.255', '11.0.0.0']],
    ['100.64.0.0', '100.127.255.255', ['100.63.255.255', '100.128.0.0']],
    ['127.0.0.0', '127.255.255.255', ['126.255.255.255', '128.0.0.0']],
    ['169.254.0.0', '169.254.255.255', ['169.253.255.255', '169.255.0.0']],
    ['172.16.0.0', '172.31.255.255', ['172.15.255.255', '172.32.0.0']],
    ['192.168.0.0', '192.168.255.255', ['192.167.255.255', '192.169.0.0']],
    ['::1', '::1', ['::', '::2']],
    ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['fbff::', 'fe00::']],
    ['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['fe7f::', 'fec0::']],
  ])('from %s to %s ends there', (first, last, outside) => {
    expect([first, last].map(isPrivateHost)).toEqual([true, true]);
    expect(outside.filter(isPrivateHost)).toEqual([]);
  });

  it('has the names of this machine, and no name that only looks so', () => {
    expect(['localhost', 'a.localhost', 'a.b.localhost'].every(isPrivateHost)).toBe(true);
    expect(
      ['notlocalhost', 'a.notlocalhost', 'localhost.example', '10.example'].filter(isPrivateHost),
    ).toEqual([]);
  });
});

describe('the limits of a port', () => {
  it.each([
    ['1', 1],
    ['65535', 65_535],
    ['0', null],
    ['65536', null],
    ['099', null],
    ['99999', null],
    ['655350', null],
    ['+1', null],
    ['1 ', null],
    ['', null],
  ])('%j is %j', (text, port) => {
    expect(parsePort(text)).toBe(port);
  });
});

describe('the limits of a host', () => {
  const label = 'a'.repeat(63);
  const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`;
  /** Plain names take a path of their own; the others are converted first. */
  const both = (name: string): string[] => [name, name.toUpperCase(), `${name}.`];

  it('are labels of 63 characters and names of 253', () => {
    for (const name of [label, `${label}.example`, `a.${label}`, longest])
      for (const text of both(name)) expect(parseHost(text)).toEqual({ host: name, kind: 'name' });
    expect(longest).toHaveLength(253);
    for (const text of [...both(`${label}a`), ...both(`${label}a.example`), ...both(`a.${label}a`)])
      expect(parseHost(text)).toMatchObject({ error: expect.stringContaining('label') });
    for (const text of [...both(`${longest}a`), ...both(`${longest}.aa`), 'a'.repeat(1025)])
      expect(parseHost(text)).toMatchObject({ error: expect.stringContaining('longer than 253') });
  });

  it.each([
    ['_dns.example', '_dns.example'],
    ['a_b.example', 'a_b.example'],
    ['a_.example', 'a_.example'],
    ['A.example.', 'a.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['[2001:DB8:0:0::1]', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is kept as %s', (text, host) => {
    expect(parseHost(text)).toMatchObject({ host });
  });

  it.each([
    ['', 'missing'],
    ['256.1.1.1', 'IPv4'],
    ['1.2.3', 'IPv4'],
    ['1.2.3.4.5', 'IPv4'],
    ['fe80::1%eth0', 'zone'],
    ['[fe80::1%25eth0]', 'zone'],
    ['1::2::3', 'IPv6'],
    ['[h.example]', 'IPv6'],
    ['a.example%2e', 'character'],
    ['a b.example', 'character'],
    ['a/b', 'character'],
    ['a@b', 'character'],
    ['a..example', 'label'],
    ['-a.example', 'label'],
    ['a-.example', 'label'],
    ['a.0x7f', 'not a name'],
    ['a.0x', 'not a name'],
    ['a.127', 'not a name'],
  ])('%j is rejected, and the error says why', (text, why) => {
    expect(parseHost(text)).toMatchObject({ error: expect.stringContaining(why) });
  });
});

describe('the URL of a page', () => {
  const url = (length: number): string => `https://h.example/${'a'.repeat(length - 18)}`;

  it('has at most 2048 characters', () => {
    expect(url(2048)).toHaveLength(2048);
    expect(webUrlProblem(url(2048))).toBeNull();
    expect(webUrlProblem(url(2049))).toBe('it is longer than 2048 characters');
  });

  it.each([
    'ftp://h.example/',
    'socks5://h.example/',
    'https://h.example/a b',
    'https://h.example/\u0007',
    'https://h.example/\u0085',
    'https://h.example/\ud800',
    'https://',
    'https://[::1',
    'https://h.example:99999/',
    ' https://h.example/',
    'h.example',
    '',
  ])('is not %j', (text) => {
    expect(webUrlProblem(text)).toContain('http or https URL');
  });

  it.each([
    ['https://u:p@h.example/a@b', 'https://h.example/a@b'],
    ['https://u:p@ss@h.example/?q=a@b', 'https://h.example/?q=a@b'],
    ['https://h.example/a@b', 'https://h.example/a@b'],
    ['https://h.example?a@b', 'https://h.example?a@b'],
    ['https://h.example#a@b', 'https://h.example#a@b'],
    ['//u:p@h.example/', '//h.example/'],
    ['SOCKS5h+x.y-z://u:p@h', 'SOCKS5h+x.y-z://h'],
    ['u:p@h.example', 'u:p@h.example'],
  ])('%s is shown as %s', (text, shown) => {
    expect(withoutLogin(text)).toBe(shown);
  });
});

describe('a pattern of domains', () => {
  it.each([
    ['*.192.0.2.1', 'a wildcard stands before a name, not an address'],
    ['*.2001:db8::1', 'it is neither a domain nor a URL. Write a domain such as shop.example, or a URL'],
  ])('is not %s', (text, error) => {
    expect(normalizeDomainPattern(text)).toEqual({ error });
  });

  it('may be told to be one domain', () => {
    expect(normalizeDomainPattern('*.a.example', { wildcards: false })).toMatchObject({
      error: expect.stringContaining('wildcard'),
    });
    expect(normalizeDomainPattern(' a.example ', { wildcards: false })).toEqual({
      pattern: 'a.example',
      isWildcard: false,
    });
  });

  it('matches from itself to the widest wildcard; addresses and single words match themselves', () => {
    expect(matchingPatterns('a.b.example')).toEqual(['a.b.example', '*.b.example', '*.example']);
    for (const host of ['192.0.2.1', '2001:db8::1', 'localhost'])
      expect(matchingPatterns(host)).toEqual([host]);
  });
});
