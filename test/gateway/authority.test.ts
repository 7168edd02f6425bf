import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAuthority } from '../../src/gateway/authority.ts';
import { formatAddress } from '../../src/lists/index.ts';

describe('an authority', () => {
  it.each([
    ['a.example:443', { host: 'a.example', port: 443 }],
    ['A.EXAMPLE:1', { host: 'a.example', port: 1 }],
    ['a.example.:65535', { host: 'a.example', port: 65_535 }],
    ['192.0.2.1:80', { host: '192.0.2.1', port: 80 }],
    ['[2001:DB8::1]:443', { host: '2001:db8::1', port: 443 }],
    ['[::ffff:192.0.2.1]:443', { host: '::ffff:c000:201', port: 443 }],
    ['my_host:443', { host: 'my_host', port: 443 }],
    ['xn--fa-hia.example:443', { host: 'xn--fa-hia.example', port: 443 }],
  ])('reads %s', (text, target) => {
    expect(parseAuthority(text)).toEqual(target);
    expect(parseAuthority(text, 80)).toEqual(target);
  });

  it('takes the default port if there is one, and needs a port else', () => {
    for (const text of ['a.example', '192.0.2.1', '[2001:db8::1]']) {
      expect(parseAuthority(text)).toBeNull();
      expect(parseAuthority(text, 80)).toHaveProperty('port', 80);
    }
  });

  it.each([
    '',
    ':443',
    'a.example:',
    'a.example:0',
    'a.example:080',
    'a.example:65536',
    'a.example:+80',
    'a.example:80:80',
    'a.example:80/',
    'a.example/b:80',
    'a.example?b:80',
    'a.example#b:80',
    'u@a.example:80',
    'u:p@a.example:80',
    'http://a.example:80',
    'a.example :80',
    ' a.example:80',
    'a.example:80 ',
    'a.example:80\r\n',
    'a.exa\tmple:80',
    'a%2eexample:80',
    'a.example,b.example:80',
    'fa\u00df.example:80',
    'a.example\\b:80',
    '2001:db8::1:80',
    '::1',
    '[::1:80',
    '::1]:80',
    '[[::1]]:80',
    '[::1%25lo]:80',
    '[fe80::1%lo]:80',
    '[192.0.2.1]:80',
    '[a.example]:80',
    '[]:80',
    '010.0.0.1:80',
    '0x7f.1:80',
    '2130706433:80',
    '127.1:80',
    `${'a'.repeat(64)}.example:80`,
    `${'a.'.repeat(200)}example:80`,
  ])('is not %j', (text) => {
    expect(parseAuthority(text)).toBeNull();
    expect(parseAuthority(text, 80)).toBeNull();
  });

  it('is read again as it is written, and reading never throws', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
    );
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const target = parseAuthority(`${name}:${port}`);
        if (target === null) throw new Error(`${name} is not read`);
        expect(target.port).toBe(port);
        expect(target.host).not.toContain('[');
        expect(parseAuthority(formatAddress(target))).toEqual(target);
      }),
    );
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.webUrl(), fc.webAuthority());
    fc.assert(
      fc.property(text, fc.option(fc.constant(80), { nil: undefined }), (any, port) => {
        const target = parseAuthority(any, port);
        if (target !== null) expect(parseAuthority(formatAddress(target))).toEqual(target);
      }),
    );
  });
});
