import { randomBytes } from 'node:crypto';
import type { ProxyConfig } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { failureOf, MODES, openSession } from '../../support/modes.ts';

describe.each(MODES)('in mode %s, resolve', (mode) => {
  const GATE = { host: 'gate.example', port: 1080, protocol: 'socks5' as const };

  function open(): ProxyRepository<'async'> {
    const encryption = new EncryptionService({ key: randomBytes(32) });
    return new ProxyRepository(openSession(mode).session, encryption);
  }

  it('rejects what names nothing, and says what to give', async () => {
    const proxies = open();
    for (const text of ['', '  ', null, undefined, 7, {}, []]) {
      expect(await failureOf(() => proxies.resolve(text as string))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    await proxies.create({ ...GATE, id: 'abcdef', name: 'gate' });
    const nobody = [
      'abc',
      'abcdeg',
      'Gate',
      'gat',
      'gate.example',
      'gate.example:1081',
      'http://gate.example:1080',
    ];
    const odd = [
      'ftp://gate.example:1080',
      'gate.example:0',
      'gate.example:99999',
      ':1080',
      '%',
      '\u0000',
      '__proto__',
    ];
    for (const text of [...nobody, ...odd, 'x'.repeat(100_000), '@'.repeat(20_000)]) {
      expect(await failureOf(() => proxies.resolve(text)), text.slice(0, 40)).toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringMatching(/first 4 or more characters.*host:port.*name.*list --search/),
      });
    }
    expect(await failureOf(() => proxies.resolve('abcdeg'))).toMatchObject({
      message: expect.stringContaining('no proxy "abcdeg"'),
    });
  });

  it('finds a proxy by its address too if that is its name, also the address of before', async () => {
    const proxies = open();
    const gate = await proxies.create(GATE);
    const six = await proxies.create({ host: '2001:db8::1', port: 80, protocol: 'http' });
    const moved = await proxies.create({ ...GATE, port: 1081 });
    await proxies.update(moved.id, { port: 1082 });
    for (const [text, { id }] of [
      ['gate.example:1080', gate],
      ['[2001:db8::1]:80', six],
      ['gate.example:1081', moved],
      ['gate.example:1082', moved],
    ] as const)
      expect((await proxies.resolve(text)).id, text).toBe(id);
    await proxies.create({ ...GATE, port: 1081 });
    expect(await failureOf(() => proxies.resolve('gate.example:1081'))).toMatchObject({ code: 'CONFLICT' });
  });

  it('finds a proxy by a name that is its IPv6 address without brackets', async () => {
    const proxies = open();
    const name = '2001:db8::1:1080';
    const { id } = await proxies.create({ host: '2001:db8::1', port: 1080, protocol: 'socks5', name });
    for (const text of [name, ` ${name} `, '[2001:db8::1]:1080'])
      expect((await proxies.resolve(text)).id, text).toBe(id);
    expect(await failureOf(() => proxies.resolve('2001:db8::2:1080'))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('never repeats a login, whether it finds the proxy, several or none', async () => {
    const proxies = open();
    const texts = [
      'socks5://someone:canary@gate.example:1080',
      'someone:canary@gate.example:1080',
      'someone:c@n@ry-canary@gate.example:1080',
      'someone:canary@gate.example',
      'gate.example:1080:someone:canary',
      'http://canary@',
      'gate.example:80@canary:1234',
    ];
    for (const text of texts)
      expect(String(await failureOf(() => proxies.resolve(text)))).not.toContain('canary');
    const [first] = texts;
    const at = String(await failureOf(() => proxies.resolve(first ?? '')));
    expect(at).toContain('no proxy that this text names.');
    const one = await proxies.create({ ...GATE, credentials: { username: 'someone', password: 'canary' } });
    for (const text of texts.slice(0, 3)) expect((await proxies.resolve(text)).id).toBe(one.id);
    await proxies.create({ ...GATE, credentials: { username: 'other', password: 'canary' } });
    const error = await failureOf(() => proxies.resolve(first ?? ''));
    expect(error).toMatchObject({ code: 'CONFLICT' });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/canary|someone/);
  });

  it('finds by id, the beginning of one, address and name', async () => {
    const proxies = open();
    const gate = await proxies.create({ ...GATE, id: '0199c0de-one', name: 'the gate' });
    const six = await proxies.create({ host: '2001:db8::1', port: 8080, protocol: 'http', id: '0200-two' });
    const texts: [ProxyConfig, string[]][] = [
      [
        gate,
        [
          ...[
            '0199c0de-one',
            '0199',
            ' 0199c0de ',
            'gate.example:1080',
            'GATE.example:1080',
            'the gate',
            ' the gate ',
          ],
          ...[
            'socks5://gate.example:1080',
            'SOCKS5h://gate.example:1080/',
            'socks5h://u:p@gate.example:1080',
          ],
        ],
      ],
      [
        six,
        [
          '0200',
          '[2001:db8::1]:8080',
          '[2001:DB8:0::1]:8080',
          'http://[2001:db8::1]:8080',
          'http://u@[2001:db8::1]:8080',
        ],
      ],
    ];
    for (const [proxy, names] of texts)
      for (const name of names) expect(await proxies.resolve(name), name).toEqual(proxy);
  });

  it('takes a whole id before everything else', async () => {
    const proxies = open();
    await proxies.create({ ...GATE, id: 'gate-1' });
    await proxies.create({ ...GATE, port: 2, name: 'gate' });
    const exact = await proxies.create({ ...GATE, port: 3, id: 'gate' });
    expect(await proxies.resolve('gate')).toEqual(exact);
    // Also if it looks like the address of another.
    const odd = await proxies.create({ ...GATE, port: 4, id: 'gate.example:2' });
    expect(await proxies.resolve('gate.example:2')).toEqual(odd);
  });

  it('names up to ten of those that match, and says that there are more', async () => {
    const proxies = open();
    const made = await proxies.createMany(
      Array.from({ length: 10 }, (_, n) => ({ ...GATE, id: `gate-${n}`, port: n + 1, name: 'same' })),
    );
    const ids = made.map(({ id }) => id).join(', ');
    const named = made.map(({ id, port }) => `${id} (socks5://gate.example:${port})`).join(', ');
    for (const text of ['gate', 'same']) {
      expect(await failureOf(() => proxies.resolve(text))).toMatchObject({
        code: 'CONFLICT',
        message: `10 proxies match: ${named}. Give the whole id of one.`,
        details: { ids, more: false },
      });
    }
    await proxies.create({ ...GATE, id: 'gate-z', port: 99, name: 'same' });
    const error = await failureOf(() => proxies.resolve('gate'));
    expect(error).toMatchObject({
      message: expect.stringContaining('More than 10 proxies match'),
      details: { ids, more: true },
    });
    // A proxy that matches in two ways is one match.
    const twice = await proxies.create({ host: 'h.example', port: 5, protocol: 'http', id: 'h.example:5' });
    expect((await proxies.resolve('h.example:5')).id).toBe(twice.id);
    // Three kinds of match at once.
    await proxies.create({ host: 'x.example', port: 5, protocol: 'http', name: 'y.example:6' });
    const other = await proxies.create({ host: 'y.example', port: 6, protocol: 'http', id: 'y.example:6!' });
    expect(await failureOf(() => proxies.resolve('y.example:6'))).toMatchObject({ code: 'CONFLICT' });
    expect(await proxies.resolve('http://y.example:6')).toEqual(other);
  });

  it('names a malformed proxy that it finds', async () => {
    const { db, session } = openSession(mode);
    const proxies = new ProxyRepository(session);
    await proxies.create({ ...GATE, id: 'gate-1', name: 'gate' });
    db.driver.run(`UPDATE proxies SET created_at = NULL`, {});
    for (const text of ['gate-1', 'gate', 'gate.example:1080'])
      expect(await failureOf(() => proxies.resolve(text))).toMatchObject({
        code: 'INVALID_ROW',
        details: { id: 'gate-1' },
      });
  });
});
