import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TargetPolicy } from '../../src/gateway/targets.ts';

const policy = new TargetPolicy([]);

type Bytes = readonly [number, number, number, number];

const byte = fc.nat(255);
const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);

/** IPv6 addresses that lead to an IPv4 address on some network. */
const embedded: Record<string, (bytes: Bytes) => string> = {
  'IPv4-mapped, dotted': (ip) => `::ffff:${ip.join('.')}`,
  'IPv4-mapped, in hex': ([a, b, c, d]) => `::ffff:${hex(a, b)}:${hex(c, d)}`,
  'IPv4-mapped, in full': ([a, b, c, d]) => `0:0:0:0:0:FFFF:${hex(a, b)}:${hex(c, d)}`.toUpperCase(),
  'IPv4-compatible': (ip) => `::${ip.join('.')}`,
  'IPv4-translated': (ip) => `::ffff:0:${ip.join('.')}`,
  NAT64: (ip) => `64:ff9b::${ip.join('.')}`,
  'NAT64 in hex': ([a, b, c, d]) => `64:FF9B:0:0:0:0:${hex(a, b)}:${hex(c, d)}`,
  'local NAT64, /96': ([a, b, c, d]) => `64:ff9b:1:2:3:4:${hex(a, b)}:${hex(c, d)}`,
  'local NAT64, /48': ([a, b, c, d]) => `64:ff9b:1:${hex(a, b)}:${hex(0, c)}:${hex(d, 0)}::`,
  '6to4': ([a, b, c, d]) => `2002:${hex(a, b)}:${hex(c, d)}:1::2`,
  '6to4 with nothing more': ([a, b, c, d]) => `2002:${hex(a, b)}:${hex(c, d)}::`,
  'Teredo, the client': ([a, b, c, d]) =>
    `2001:0:c000:201:0:0:${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`,
  'Teredo, the server': ([a, b, c, d]) =>
    `2001::${hex(a, b)}:${hex(c, d)}:0:0:3fff:fdfe`.replace('2001::', '2001:0:'),
  ISATAP: (ip) => `2001:db8::5efe:${ip.join('.')}`,
  'ISATAP, unique': (ip) => `2001:db8::200:5efe:${ip.join('.')}`,
};

const denied: Record<string, fc.Arbitrary<Bytes>> = {
  'a loopback address': fc.oneof(
    fc.tuple(fc.constant(127), byte, byte, byte),
    fc.tuple(fc.constant(0), byte, byte, byte),
  ),
  'a link-local address': fc
    .tuple(fc.constant(169), fc.constant(254), byte, byte)
    .filter(([, , c, d]) => !(c === 169 && d === 254) && !(c === 170 && (d === 2 || d === 23))),
  'a metadata service of a cloud': fc.constantFrom<Bytes>(
    [169, 254, 169, 254],
    [169, 254, 170, 2],
    [100, 100, 100, 200],
    [168, 63, 129, 16],
    [192, 0, 0, 192],
  ),
};

describe.each(Object.entries(denied))('%s is denied', (what, addresses) => {
  it('as IPv4', () => {
    fc.assert(
      fc.property(addresses, (ip) => {
        expect(policy.denialOf(ip.join('.'), 80)).toBe(what);
      }),
    );
  });

  it.each(Object.entries(embedded))('as %s', (_, write) => {
    fc.assert(
      fc.property(addresses, fc.boolean(), (ip, inBrackets) => {
        const text = write(ip);
        expect([text, isIPv6(text)]).toEqual([text, true]);
        expect([text, policy.denialOf(inBrackets ? `[${text}]` : text, 443)]).not.toEqual([text, null]);
      }),
    );
  });
});

describe('a target', () => {
  it.each([
    ['::1', 'a loopback address'],
    ['0:0:0:0:0:0:0:1', 'a loopback address'],
    ['[::1]', 'a loopback address'],
    ['::', 'a loopback address'],
    ['fe80::1', 'a link-local address'],
    ['FEBF:ffff::1', 'a link-local address'],
    ['64:ff9b:1:c000:2:100::', 'an address of a local NAT64'],
    ['fe80::a9fe:a9fe', 'a link-local address'],
    ['fd00:ec2::254', 'a metadata service of a cloud'],
    ['FD00:0EC2:0:0:0:0:0:254', 'a metadata service of a cloud'],
    ['fd20:ce::254', 'a metadata service of a cloud'],
    ['localhost', 'a name of this machine'],
    ['LOCALHOST', 'a name of this machine'],
    ['localhost.', 'a name of this machine'],
    ['a.b.localhost', 'a name of this machine'],
    ['localhost.localdomain', 'a name of this machine'],
    ['ip6-localhost', 'a name of this machine'],
    ['\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54', 'a name of this machine'],
    ['metadata.google.internal', 'a metadata service of a cloud'],
    ['Metadata.Google.Internal.', 'a metadata service of a cloud'],
    ['metadata', 'a metadata service of a cloud'],
    ['instance-data', 'a metadata service of a cloud'],
    ['instance-data.ec2.internal', 'a metadata service of a cloud'],
    // These forms of IPv4 are no hosts here, though some resolvers take them.
    ['0177.0.0.1', 'not a valid host'],
    ['127.1', 'not a valid host'],
    ['2130706433', 'not a valid host'],
    ['0x7f000001', 'not a valid host'],
    ['0x7f.0.0.1', 'not a valid host'],
    ['127.0.0.1.', 'not a valid host'],
    ['127。0。0。1', 'not a valid host'],
    ['①②⑦.0.0.1', 'not a valid host'],
    ['::1%lo', 'not a valid host'],
    ['', 'not a valid host'],
  ])('%s is denied: %s', (host, what) => {
    expect(policy.denialOf(host, 80)).toBe(what);
  });

  it.each([
    'example.com',
    'localhost.example',
    'notlocalhost',
    'metadata.example',
    '192.0.2.1',
    '10.0.0.1',
    '126.255.255.255',
    '128.0.0.1',
    '1.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '100.100.100.201',
    '2001:db8::1',
    '::ffff:192.0.2.1',
    '64:ff9b::192.0.2.1',
    '64:ff9b:2::',
    '2002:c000:201::',
    'fec0::1',
    'fd00::1',
    'fe00::1',
  ])('%s is not denied', (host) => {
    expect(policy.denialOf(host, 80)).toBeNull();
  });

  it('may be any public address, in IPv6 too', () => {
    const first = fc.integer({ min: 1, max: 223 }).filter((a) => ![100, 127, 168, 169, 192].includes(a));
    fc.assert(
      fc.property(
        fc.tuple(first, byte, byte, byte),
        fc.constantFrom(...Object.values(embedded)),
        (ip, write) => {
          expect(policy.denialOf(ip.join('.'), 80)).toBeNull();
          // Where an address is in a local prefix is not known.
          if (!write(ip).startsWith('64:ff9b:1:'))
            expect([write(ip), policy.denialOf(write(ip), 80)]).toEqual([write(ip), null]);
        },
      ),
    );
  });

  it('never throws', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(text, fc.nat(65_535), (host, port) => {
        policy.denialOf(host, port);
      }),
    );
  });
});

describe('what is allowed', () => {
  it('is a host, with all its ports or one', () => {
    const { denialOf } = bound(['127.0.0.1', 'LOCALHOST:8080', '::1', '[::2]:443', 'fe80::1']);
    expect(denialOf('127.0.0.1', 1)).toBeNull();
    expect(denialOf('127.0.0.2', 1)).not.toBeNull();
    expect(denialOf('localhost', 8080)).toBeNull();
    expect(denialOf('localhost', 8081)).not.toBeNull();
    expect(denialOf('a.localhost', 8080)).not.toBeNull();
    expect(denialOf('::1', 5)).toBeNull();
    expect(denialOf('0:0::1', 5)).toBeNull();
    expect(denialOf('::2', 443)).toBeNull();
    expect(denialOf('::2', 80)).not.toBeNull();
    expect(denialOf('fe80::1', 80)).toBeNull();
    // It is that address in another form; allow it in that form too if you mean it.
    expect(denialOf('::ffff:127.0.0.1', 1)).not.toBeNull();
  });

  it('is a network, or names below one', () => {
    const { denialOf } = bound(['127.0.0.0/30', '*.localhost', 'fe80::/10']);
    expect(denialOf('127.0.0.3', 1)).toBeNull();
    expect(denialOf('127.0.0.4', 1)).not.toBeNull();
    expect(denialOf('a.localhost', 1)).toBeNull();
    expect(denialOf('localhost', 1)).not.toBeNull();
    expect(denialOf('fe80::5', 1)).toBeNull();
  });

  it('is all, but for what is no host', () => {
    const all = new TargetPolicy('all');
    expect(all.denialOf('127.0.0.1', 1)).toBeNull();
    expect(all.denialOf('metadata', 1)).toBeNull();
    expect(all.denialOf('127.1', 1)).toBe('not a valid host');
  });

  it.each([
    '',
    '127.0.0.0/33',
    '::/129',
    '127.0.0.1:0',
    'a b',
    '*.',
    '*',
    'a.example/8',
    '127.0.0.1:65536',
    '127.1',
  ])('is not %j', (text) => {
    expect(() => new TargetPolicy([text])).toThrow(/HOST, HOST:PORT, \*\.NAME or a network/);
  });

  it('is not repeated if it may have a login', () => {
    expect(() => new TargetPolicy(['http://u:secret@127.0.0.1'])).toThrow(/^(?!.*secret)/s);
  });

  function bound(allow: string[]) {
    const allowing = new TargetPolicy(allow);
    return { denialOf: (host: string, port: number) => allowing.denialOf(host, port) };
  }
});
