import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchingPatterns, normalizeDomainPattern } from '../../src/model/domain.ts';
import { parseHost, parsePort } from '../../src/model/host.ts';

describe('parseHost', () => {
  const good: [text: string, host: string, kind: string][] = [
    ['192.0.2.1', '192.0.2.1', 'ipv4'],
    ['0.0.0.0', '0.0.0.0', 'ipv4'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 'ipv6'],
    ['[::FFFF:192.0.2.1]', '::ffff:c000:201', 'ipv6'],
    ['Example.COM.', 'example.com', 'name'],
    ['localhost', 'localhost', 'name'],
    ['my_proxy.example', 'my_proxy.example', 'name'],
    ['3com.example', '3com.example', 'name'],
    ['faß.example', 'xn--fa-hia.example', 'name'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah', 'name'],
  ];
  it.each(good)('reads %s', (text, host, kind) => {
    expect(parseHost(text)).toEqual({ host, kind });
  });

  it.each([
    '',
    '010.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '0x7f.1',
    '1.2.3.0x4',
    'a..b',
    '.a',
    '-a.example',
    'a-.example',
    'a b',
    'a%41',
    'a/b',
    'a@b',
    'a#b',
    'fe80::1%eth0',
    '[::1',
    '::1]',
    '[1.2.3.4]',
    '1::2::3',
    'x'.repeat(64),
    'x'.repeat(5000),
    '\u0000',
    'a\u200B\u0000b',
  ])('refuses %j', (text) => {
    expect(parseHost(text)).toHaveProperty('error');
  });

  it('is stable: what it gives, it gives again; and it never throws', () => {
    const text = fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(text, (input) => {
        const first = parseHost(input);
        if ('error' in first) return;
        expect(parseHost(first.host)).toEqual(first);
        expect(isIPv4(first.host) ? 'ipv4' : isIPv6(first.host) ? 'ipv6' : 'name').toBe(first.kind);
        expect(first.host).toMatch(/^[a-z\d._:-]+$/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parsePort', () => {
  it('takes plain decimals from 1 to 65535', () => {
    for (let port = 1; port <= 65_535; port += 13) expect(parsePort(String(port))).toBe(port);
    for (const text of [
      '',
      '0',
      '00',
      '080',
      '65536',
      '99999',
      '100000',
      '-1',
      '+80',
      ' 80',
      '80 ',
      '8.0',
      '1e3',
      '0x50',
      '８０',
      'NaN',
    ]) {
      expect(parsePort(text)).toBeNull();
    }
  });
});

describe('domain patterns', () => {
  it('hold at any depth below and never at the apex', () => {
    const label = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 3 }),
        fc.array(label, { minLength: 1, maxLength: 4 }),
        (parent, below) => {
          const apex = parent.join('.');
          expect(matchingPatterns(`${below.join('.')}.${apex}`)).toContain(`*.${apex}`);
          expect(matchingPatterns(apex)).not.toContain(`*.${apex}`);
        },
      ),
    );
  });

  it('come most specific first, and none for addresses', () => {
    expect(matchingPatterns('a.b.example.com')).toEqual([
      'a.b.example.com',
      '*.b.example.com',
      '*.example.com',
      '*.com',
    ]);
    expect(matchingPatterns('192.0.2.1')).toEqual(['192.0.2.1']);
    expect(matchingPatterns('2001:db8::1')).toEqual(['2001:db8::1']);
  });

  it.each([
    ['https://shop.example/cart?x=1', 'shop.example'],
    ['HTTPS://Shop.Example.:443/', 'shop.example'],
    ['shop.example:443', 'shop.example'],
    ['shop.example:', 'shop.example'],
    ['shop.example/cart?next=https://evil.example/@x', 'shop.example'],
    ['shop.example#me@evil.example', 'shop.example'],
    ['shop.example?q=me@evil.example', 'shop.example'],
    ['user:pass@shop.example', 'shop.example'],
    ['https://us%40er:p@ss@shop.example:8443/', 'shop.example'],
    ['[2001:DB8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['http://[2001:db8::1]/x', '2001:db8::1'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['localhost:3000/x', 'localhost'],
    ['https://bücher.example/ü', 'xn--bcher-kva.example'],
    ['wss://*.shop.example/', '*.shop.example'],
    ['*.shop.example:443', '*.shop.example'],
    [' shop.example ', 'shop.example'],
  ])('of %s are those of its host', (text, pattern) => {
    expect(normalizeDomainPattern(text)).toEqual({ pattern, isWildcard: pattern.startsWith('*.') });
  });

  it.each([
    '',
    ' ',
    'https://',
    'https:///cart',
    '/cart',
    'word/path',
    'canary:pa/ss@shop.example',
    'https://good.example\\@evil.example/',
    'https://good.example\\.evil.example/',
    'shop.example:99999',
    'shop.example:http',
    'shop.example:443:8',
    '2001:db8::1:443:zz',
    'https://canary@/',
    'two words',
    'a@b@',
    'https://shop%2eexample/',
  ])('of %j are rejected, and the error says what to write and not what was written', (text) => {
    const parsed = normalizeDomainPattern(text);
    expect(parsed).toMatchObject({ error: expect.stringContaining('Write a domain such as shop.example') });
    expect(JSON.stringify(parsed)).not.toContain('canary');
  });

  it('may leave out wildcards', () => {
    for (const text of ['*.shop.example', 'https://*.shop.example/'])
      expect(normalizeDomainPattern(text, { wildcards: false })).toMatchObject({
        error: expect.stringContaining('wildcard'),
      });
    expect(normalizeDomainPattern('shop.example:1', { wildcards: false })).toMatchObject({
      pattern: 'shop.example',
    });
  });

  it('of any login, port and path before and after a domain are those of the domain', () => {
    const word = fc.stringMatching(/^[\w.~:@-]{0,20}$/);
    fc.assert(
      fc.property(
        fc.domain(),
        word,
        fc.integer({ min: 1, max: 65_535 }),
        fc.webPath(),
        (host, login, port, path) => {
          const expected = normalizeDomainPattern(host);
          if ('error' in expected) return;
          for (const scheme of ['', 'https://', 'socks5h://'])
            expect(normalizeDomainPattern(`${scheme}${login}@${host}:${port}${path}`)).toEqual(expected);
        },
      ),
    );
  });

  it('are normalised, again to themselves', () => {
    expect(normalizeDomainPattern('*.EXAMPLE.com.')).toEqual({ pattern: '*.example.com', isWildcard: true });
    fc.assert(
      fc.property(fc.domain(), fc.boolean(), (domain, wild) => {
        const first = normalizeDomainPattern(wild ? `*.${domain}` : domain);
        if ('error' in first) return;
        expect(normalizeDomainPattern(first.pattern)).toEqual(first);
        expect(first.isWildcard).toBe(wild);
      }),
    );
  });
});
