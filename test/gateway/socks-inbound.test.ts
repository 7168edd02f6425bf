import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SocksEvent, SocksInbound } from '../../src/gateway/socks-inbound.ts';
import { type SocksOutcome, socksReply } from '../../src/gateway/socks-reply.ts';

const bytes = (...parts: (number | string | readonly number[])[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))),
  );
const port = (n: number): number[] => [n >> 8, n & 255];
const sized = (text: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

const GREETING = bytes([5, 1, 0]);
const byName = (name: string | Buffer, at = 443): Buffer =>
  Buffer.concat([bytes([5, 1, 0, 3]), sized(name), bytes(port(at))]);
const login = (username: string, password: string): Buffer =>
  Buffer.concat([bytes([5, 2, 0, 2, 1]), sized(username), sized(password)]);
const socks4 = (ip: number[], userid: string, name?: string, at = 443): Buffer =>
  bytes([4, 1], port(at), ip, userid, 0, ...(name === undefined ? [] : [name, 0]));

interface Told {
  /** All that a client would have got. */
  replies: string;
  login: { username: string; password: string } | null;
  target: unknown;
  error: string | null;
  /** What came for the target. */
  payload: string;
}

/** Feeds the pieces, answers logins, and gathers what a server would do. Bytes after a target go to it. */
function run(pieces: readonly Buffer[], needsLogin = false, isRight = true): Told {
  const socks = new SocksInbound(needsLogin);
  const told: Told = { replies: '', login: null, target: null, error: null, payload: '' };
  const take = (events: readonly SocksEvent[]): void => {
    for (const event of events) {
      if (event.kind === 'reply') told.replies += event.bytes.toString('hex');
      if (event.kind === 'login') {
        told.login = { username: event.username, password: event.password };
        expect(socks.waits).toBe(true);
      }
      if (event.kind === 'error') {
        told.error = event.message;
        told.replies += event.reply?.toString('hex') ?? '';
      }
      if (event.kind === 'target') {
        told.target = { version: event.version, ...event.target };
        told.payload += event.rest.toString('hex');
      }
    }
  };
  for (const piece of pieces) {
    if (told.error !== null) break;
    if (told.target !== null) {
      told.payload += piece.toString('hex');
      continue;
    }
    take(socks.push(piece));
    if (socks.waits) take(isRight ? socks.accept() : socks.reject());
    if (!socks.waits) expect(socks.held).toBeLessThanOrEqual(1024);
  }
  return told;
}

/** The bytes cut at these places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
  return ends.map((end, at) => whole.subarray(at === 0 ? 0 : ends[at - 1], end));
}

describe('SOCKS5', () => {
  it.each<[string, Buffer, { host: string; port: number }]>([
    ['IPv4', bytes([5, 1, 0, 1, 192, 0, 2, 1], port(80)), { host: '192.0.2.1', port: 80 }],
    [
      'IPv6',
      bytes([5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], port(65_535)),
      { host: '2001:db8::1', port: 65_535 },
    ],
    ['a name', byName('A.Example'), { host: 'a.example', port: 443 }],
    ['a name that is an IPv4 address', byName('192.0.2.1'), { host: '192.0.2.1', port: 443 }],
    ['a name that is an IPv6 address', byName('2001:DB8:0::1'), { host: '2001:db8::1', port: 443 }],
    [
      'a name that is an IPv6 address in brackets',
      byName('[2001:db8::1]'),
      { host: '2001:db8::1', port: 443 },
    ],
    ['an international name', byName('fa\u00df.example'), { host: 'xn--fa-hia.example', port: 443 }],
  ])('reads %s', (_, request, target) => {
    expect(run([GREETING, request, bytes('GET')])).toEqual({
      replies: '0500',
      login: null,
      target: { version: 5, ...target },
      error: null,
      payload: bytes('GET').toString('hex'),
    });
  });

  it('takes a login where the client offers one, needed or not', () => {
    for (const needsLogin of [true, false])
      expect(run([login('country-de', 'x'), byName('a.example')], needsLogin)).toMatchObject({
        replies: '05020100',
        login: { username: 'country-de', password: 'x' },
        target: { host: 'a.example' },
      });
  });

  it('takes logins of any length that RFC 1929 can carry, and of none', () => {
    for (const length of [0, 1, 255]) {
      const [username, password] = ['u'.repeat(length), 'p'.repeat(length)];
      expect(run([login(username, password)])).toMatchObject({ login: { username, password }, error: null });
    }
    expect(run([login('\u00fc', '\u20ac')]).login).toEqual({ username: '\u00fc', password: '\u20ac' });
  });

  it('turns away a wrong login, and reads no more', () => {
    const told = run([login('u', 'hunter2'), byName('a.example')], true, false);
    expect(told).toMatchObject({ replies: '05020101', target: null, error: 'The login is wrong.' });
  });

  it.each<[string, Buffer, boolean, string, RegExp]>([
    ['no login where one is needed', bytes([5, 1, 0]), true, '05ff', /username and a password are needed/],
    ['only other ways to log in', bytes([5, 2, 1, 3]), false, '05ff', /no way to log in that is supported/],
    ['no way to log in at all', bytes([5, 0]), false, '05ff', /no way to log in/],
    ['BIND', bytes([5, 1, 0, 5, 2]), false, '0500' + '05070001000000000000', /Only the command CONNECT/],
    [
      'UDP ASSOCIATE',
      bytes([5, 1, 0, 5, 3]),
      false,
      '0500' + '05070001000000000000',
      /Only the command CONNECT/,
    ],
    ['command 0', bytes([5, 1, 0, 5, 0]), false, '0500' + '05070001000000000000', /Only the command CONNECT/],
    [
      'address type 2',
      bytes([5, 1, 0, 5, 1, 0, 2]),
      false,
      '0500' + '05080001000000000000',
      /type of the address/,
    ],
    ['version 4 in the request', bytes([5, 1, 0, 4]), false, '0500' + '05010001000000000000', /malformed/],
    [
      'a reserved byte that is not 0',
      bytes([5, 1, 0, 5, 1, 1]),
      false,
      '0500' + '05010001000000000000',
      /malformed/,
    ],
    ['a login of version 2', bytes([5, 1, 2, 2]), false, '0502' + '0101', /login is malformed/],
    ['a login of version 5', bytes([5, 1, 2, 5]), false, '0502' + '0101', /login is malformed/],
    [
      'a username that is not UTF-8',
      bytes([5, 1, 2, 1, 1, 0xff, 1, 0x61]),
      false,
      '0502' + '0101',
      /not UTF-8/,
    ],
    [
      'a password that is not UTF-8',
      bytes([5, 1, 2, 1, 1, 0x61, 1, 0xff]),
      false,
      '0502' + '0101',
      /not UTF-8/,
    ],
    ['an empty name', Buffer.concat([GREETING, byName('')]), false, '050005010001000000000000', /valid host/],
    [
      'a name with NUL',
      Buffer.concat([GREETING, byName('a\0b')]),
      false,
      '050005010001000000000000',
      /valid host/,
    ],
    [
      'a name with a space',
      Buffer.concat([GREETING, byName('a b')]),
      false,
      '050005010001000000000000',
      /valid host/,
    ],
    [
      'a name with a login',
      Buffer.concat([GREETING, byName('u@b')]),
      false,
      '050005010001000000000000',
      /valid host/,
    ],
    [
      'a name that is not UTF-8',
      Buffer.concat([GREETING, byName(Buffer.from([0x61, 0xff]))]),
      false,
      '050005010001000000000000',
      /valid host/,
    ],
    [
      'an odd form of IPv4',
      Buffer.concat([GREETING, byName('127.1')]),
      false,
      '050005010001000000000000',
      /valid host/,
    ],
    [
      'port 0',
      Buffer.concat([GREETING, byName('a.example', 0)]),
      false,
      '050005010001000000000000',
      /port .* is 0/,
    ],
  ])('refuses %s', (_, sent, needsLogin, replies, message) => {
    const told = run([sent], needsLogin);
    expect(told).toMatchObject({ replies, target: null, error: expect.stringMatching(message) });
  });
});

describe('SOCKS4', () => {
  it.each<[string, Buffer, Partial<Told>]>([
    [
      'an address',
      socks4([192, 0, 2, 1], ''),
      { login: null, target: { version: 4, host: '192.0.2.1', port: 443 } },
    ],
    [
      '4a: a name',
      socks4([0, 0, 0, 1], '', 'A.Example'),
      { target: { version: 4, host: 'a.example', port: 443 } },
    ],
    [
      '4a: any last byte',
      socks4([0, 0, 0, 255], '', 'a.example'),
      { target: { version: 4, host: 'a.example', port: 443 } },
    ],
    [
      '4a: an address as a name',
      socks4([0, 0, 0, 9], '', '::1'),
      { target: { version: 4, host: '::1', port: 443 } },
    ],
    [
      '0.0.0.0, which is no name',
      socks4([0, 0, 0, 0], ''),
      { target: { version: 4, host: '0.0.0.0', port: 443 } },
    ],
    [
      'a userid',
      socks4([0, 0, 0, 1], 'country-de', 'a.example'),
      {
        login: { username: 'country-de', password: '' },
        target: { version: 4, host: 'a.example', port: 443 },
      },
    ],
    [
      'a userid of 255 bytes',
      socks4([192, 0, 2, 1], 'u'.repeat(255)),
      { login: { username: 'u'.repeat(255), password: '' }, error: null },
    ],
  ])('reads %s', (_, request, told) => {
    expect(run([Buffer.concat([request, bytes('xyz')])])).toMatchObject({
      replies: '',
      payload: bytes('xyz').toString('hex'),
      error: null,
      ...told,
    });
  });

  it('asks about the empty userid too if a login is needed, and has reply 93 for a wrong one', () => {
    const told = run([socks4([192, 0, 2, 1], '')], true, false);
    expect(told).toMatchObject({ login: { username: '' }, replies: '005d000000000000', target: null });
  });

  const REJECTED = '005b000000000000';
  it.each<[string, Buffer, RegExp]>([
    ['BIND', bytes([4, 2]), /Only the command CONNECT/],
    [
      'a userid of 256 bytes',
      bytes([4, 1], port(80), [192, 0, 2, 1], 'u'.repeat(256), 0),
      /userid is longer/,
    ],
    ['a userid without an end', bytes([4, 1], port(80), [192, 0, 2, 1], 'u'.repeat(256)), /userid is longer/],
    ['a name of 256 bytes', socks4([0, 0, 0, 1], '', 'n'.repeat(256)), /name of the target is longer/],
    [
      'a name without an end',
      bytes([4, 1], port(80), [0, 0, 0, 1], 0, 'n'.repeat(256)),
      /name of the target is longer/,
    ],
    ['an empty name', socks4([0, 0, 0, 1], '', ''), /valid host/],
    ['a name with a space', socks4([0, 0, 0, 1], '', 'a b'), /valid host/],
    ['a userid that is not UTF-8', bytes([4, 1], port(80), [192, 0, 2, 1], [0xff], 0), /not UTF-8/],
    ['port 0', socks4([192, 0, 2, 1], '', undefined, 0), /port .* is 0/],
  ])('refuses %s', (_, sent, message) => {
    expect(run([sent])).toMatchObject({
      replies: REJECTED,
      target: null,
      error: expect.stringMatching(message),
    });
  });
});

describe('the bytes of a client', () => {
  const hosts = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 20 }));
  const text = fc.string({ unit: 'grapheme', maxLength: 60 });
  const ips = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
  const ports = fc.nat(65_535);
  const handshakes = fc.oneof(
    fc.tuple(hosts, ports).map(([host, at]) => Buffer.concat([GREETING, byName(host, at)])),
    fc.tuple(ips, ports).map(([ip, at]) => Buffer.concat([GREETING, bytes([5, 1, 0, 1], ip, port(at))])),
    fc
      .tuple(fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }), ports)
      .map(([ip, at]) => Buffer.concat([GREETING, bytes([5, 1, 0, 4], ip, port(at))])),
    fc
      .tuple(text, text, hosts, ports)
      .map(([u, p, host, at]) => Buffer.concat([login(u, p), byName(host, at)])),
    fc
      .tuple(ips, text, ports)
      .map(([ip, userid, at]) => socks4(ip, userid.replaceAll('\0', ''), undefined, at)),
    fc
      .tuple(fc.integer({ min: 1, max: 255 }), text, hosts, ports)
      .map(([last, userid, host, at]) => socks4([0, 0, 0, last], userid.replaceAll('\0', ''), host, at)),
  );
  /** A handshake, perhaps with a byte changed, and the first bytes for the target. */
  const sent = fc
    .tuple(handshakes, fc.option(fc.tuple(fc.nat(40), fc.nat(255))), fc.uint8Array({ maxLength: 40 }))
    .map(([handshake, change, payload]) => {
      const changed = Buffer.from(handshake);
      if (change !== null) changed[change[0] % changed.length] = change[1];
      return Buffer.concat([changed, payload]);
    });

  it('mean the same one by one, all at once and cut anywhere', () => {
    fc.assert(
      fc.property(
        sent,
        fc.array(fc.nat(2000)),
        fc.boolean(),
        fc.boolean(),
        (whole, places, needs, isRight) => {
          const atOnce = run([whole], needs, isRight);
          expect(run(cut(whole, places), needs, isRight)).toEqual(atOnce);
          expect(
            run(
              Array.from(whole, (each) => Buffer.from([each])),
              needs,
              isRight,
            ),
          ).toEqual(atOnce);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('may be anything: nothing throws, and little is kept', () => {
    const start = fc.constantFrom<number[]>(
      [],
      [5],
      [4],
      [5, 1, 0],
      [5, 1, 2, 1],
      [4, 1],
      [5, 1, 0, 5, 1, 0, 3],
      [4, 1, 0, 80, 0, 0, 0, 1],
    );
    const noise = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
    fc.assert(
      fc.property(start, noise, fc.boolean(), fc.boolean(), (head, tail, needs, isRight) => {
        const pieces = [Buffer.from(head), ...tail.map((each) => Buffer.from(each))];
        const { error, target } = run(pieces, needs, isRight);
        const total = pieces.reduce((sum, { length }) => sum + length, 0);
        // The longest handshake has 257 + 513 + 262 bytes: after that it is over.
        if (total > 1032) expect(error !== null || target !== null).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('wait while a login is checked, up to what one read may bring', () => {
    const early = Buffer.alloc(1000, 7);
    const socks = new SocksInbound(true);
    expect(
      socks.push(Buffer.concat([login('u', 'p'), byName('a.example'), early])).map(({ kind }) => kind),
    ).toEqual(['reply', 'login']);
    expect(socks.push(Buffer.from([8]))).toEqual([]);
    expect(socks.accept()).toEqual([
      { kind: 'reply', bytes: bytes([1, 0]) },
      {
        kind: 'target',
        version: 5,
        target: { host: 'a.example', port: 443 },
        rest: Buffer.concat([early, Buffer.from([8])]),
      },
    ]);
    expect(socks.held).toBe(0);

    const flooded = new SocksInbound(true);
    flooded.push(login('u', 'p'));
    expect(flooded.push(Buffer.alloc(65_536))).toEqual([]);
    expect(flooded.push(Buffer.alloc(1))).toMatchObject([{ kind: 'error', reply: null }]);
    expect(flooded.held).toBe(0);
    expect(flooded.accept()).toEqual([]);
    expect(flooded.reject()).toEqual([]);
  });

  it('are no longer taken after a target or an error', () => {
    const socks = new SocksInbound(false);
    socks.push(Buffer.concat([GREETING, byName('a.example')]));
    expect(socks.push(Buffer.from([1]))).toMatchObject([{ kind: 'error', reply: null }]);
    expect(socks.accept()).toEqual([]);
  });

  it('of a wrong version get no answer', () => {
    for (const version of [0, 1, 3, 6, 0x47, 255])
      expect(run([Buffer.from([version, 1, 0])])).toMatchObject({
        replies: '',
        error: expect.stringMatching(/SOCKS4 or SOCKS5/),
      });
  });

  it('are not shared with what is kept: a buffer may be used again', () => {
    const socks = new SocksInbound(false);
    const piece = Buffer.concat([GREETING, byName('a.example').subarray(0, 8)]);
    socks.push(piece);
    piece.fill(0);
    expect(socks.push(byName('a.example').subarray(8))).toMatchObject([{ target: { host: 'a.example' } }]);
  });
});

describe('the answer to a request', () => {
  it.each<[SocksOutcome, number]>([
    ['success', 0],
    ['generalFailure', 1],
    ['notAllowed', 2],
    ['networkUnreachable', 3],
    ['hostUnreachable', 4],
    ['refused', 5],
    ['ttlExpired', 6],
    ['commandNotSupported', 7],
    ['addressNotSupported', 8],
  ])('%s', (outcome, code) => {
    expect(socksReply(5, outcome)).toEqual(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
    expect(socksReply(4, outcome)).toEqual(bytes([0, code === 0 ? 90 : 91, 0, 0, 0, 0, 0, 0]));
  });
});
