import type * as crypto from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { hashPassword } from '../../src/gateway/hash-password.ts';
import { type GatewayUser, Users } from '../../src/gateway/users.ts';
import { thrownBy } from '../support/temporary.ts';

/** What scrypt was asked, how often at a time, and what still waits for `release`. */
const work = vi.hoisted(() => ({
  calls: [] as unknown[][],
  running: 0,
  most: 0,
  isHeld: false,
  /** Else it takes less time, and what it was asked is only noted. */
  isReal: false,
  held: [] as (() => void)[],
}));

vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof crypto>();
  const CHEAP = { N: 2, r: 1, p: 1 };
  type Call = Parameters<typeof original.scrypt>;
  const scrypt = (...[password, salt, length, options, callback]: [...Call]): void => {
    work.calls.push([length, options]);
    work.running++;
    work.most = Math.max(work.most, work.running);
    const start = (): void =>
      original.scrypt(password, salt, length, work.isReal ? options : CHEAP, (error, key) => {
        work.running--;
        callback(error, key);
      });
    if (work.isHeld) work.held.push(start);
    else start();
  };
  return { ...original, default: original, scrypt };
});

beforeEach(() => {
  Object.assign(work, { calls: [], running: 0, most: 0, isHeld: false, isReal: false, held: [] });
});

const COST = [32, { N: 16_384, r: 8, p: 1 }];

/** Lets all scrypt run, also what comes meanwhile. */
function release(): void {
  work.isHeld = false;
  for (const start of work.held.splice(0)) start();
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe('a login', () => {
  it('is right with the name and its password, and says what follows the name', async () => {
    const users = new Users([
      { name: 'alice', password: 'p:@%\u00e9' },
      { name: 'bob', passwordHash: await hashPassword('q'), maxConnections: 5, tags: ['paid'] },
    ]);
    expect(users.size).toBe(2);
    expect(await users.verify('alice', 'p:@%\u00e9')).toEqual({ user: { name: 'alice' }, words: '' });
    expect(await users.verify('alice-country-de-session-a', 'p:@%\u00e9')).toEqual({
      user: { name: 'alice' },
      words: 'country-de-session-a',
    });
    expect(await users.verify('bob-', 'q')).toEqual({
      user: { name: 'bob', maxConnections: 5, tags: ['paid'] },
      words: '',
    });
  });

  it.each([
    ['alice', 'q'],
    ['alice', ''],
    ['alice', 'p '],
    ['alice', 'P'],
    ['alice', 'p'.repeat(5000)],
    ['Alice', 'p'],
    ['alic', 'p'],
    ['alice2', 'p'],
    ['alice_country-de', 'p'],
    ['-alice', 'p'],
    ['', 'p'],
    ['', ''],
    ['constructor', 'p'],
    ['country-de', 'p'],
    ['x'.repeat(5000), 'p'],
    ['-'.repeat(5000), 'p'],
  ])('%j with %j is wrong', async (username, password) => {
    const users = new Users([{ name: 'alice', password: 'p' }]);
    expect(await users.verify(username, password)).toBeNull();
  });

  it('belongs to the longest name that fits, and to no other', async () => {
    const users = new Users([
      { name: 'a', password: '1' },
      { name: 'a-b', password: '2' },
      { name: 'a-b-c', password: '3' },
    ]);
    expect(await users.verify('a-b-c-d', '3')).toEqual({ user: { name: 'a-b-c' }, words: 'd' });
    expect(await users.verify('a-b-d', '2')).toEqual({ user: { name: 'a-b' }, words: 'd' });
    expect(await users.verify('a-d-b', '1')).toEqual({ user: { name: 'a' }, words: 'd-b' });
    expect(await users.verify('a-b-c', '2')).toBeNull();
    expect(await users.verify('a-b', '1')).toBeNull();
  });

  it('may come in either form of Unicode', async () => {
    const users = new Users([{ name: 'a', password: 'e\u0301' }]);
    expect(await users.verify('a', '\u00e9')).not.toBeNull();
    expect(await users.verify('a', 'e\u0301')).not.toBeNull();
  });

  it('of a gateway without users is wrong', async () => {
    expect(await new Users([]).verify('a', 'b')).toBeNull();
  });
});

describe('the work of a login', () => {
  it('is the same for a wrong password and an unknown name, with a password or a hash', async () => {
    const users = new Users([
      { name: 'a', password: 'p' },
      { name: 'b', passwordHash: await hashPassword('p') },
    ]);
    await users.verify('a', 'p');
    for (const username of ['a', 'b', 'unknown', 'a-country-de', 'unknown-country-de', '']) {
      work.calls = [];
      expect(await users.verify(username, 'wrong')).toBeNull();
      expect([username, work.calls]).toEqual([username, [COST]]);
    }
  });

  it('is done once for a right login, whatever follows the name, and each time for a wrong one', async () => {
    const users = new Users([{ name: 'a', password: 'p' }]);
    await users.verify('a', 'p');
    work.calls = [];
    for (let request = 0; request < 100; request++)
      expect(await users.verify(`a-session-${request}`, 'p')).not.toBeNull();
    expect(work.calls).toEqual([]);
    for (let request = 0; request < 3; request++) expect(await users.verify('a', 'q')).toBeNull();
    expect(work.calls.length).toBe(3);
  });

  it('is shared by the connections that come at once with one login', async () => {
    const users = new Users([{ name: 'a', password: 'p' }]);
    const all = Array.from({ length: 1000 }, (_, n) => users.verify(`a-session-${n}`, 'p'));
    for (const [n, verified] of (await Promise.all(all)).entries())
      expect(verified?.words).toBe(`session-${n}`);
    // The hash of the password that was given, and one check.
    expect(work.calls.length).toBe(2);
  });

  it('has a line in which one address has only a part', async () => {
    const users = new Users([{ name: 'a', passwordHash: await hashPassword('p') }]);
    work.isHeld = true;
    const guesses = Array.from({ length: 300 }, (_, n) => users.verify('a', `wrong${n}`, '192.0.2.1'));
    const rejected = Promise.allSettled(guesses);
    const right = users.verify('a', 'p', '192.0.2.2');
    await settle();
    await expect(users.verify('a', 'p!', '192.0.2.1')).rejects.toMatchObject({ code: 'BUSY' });
    release();
    expect((await right)?.user.name).toBe('a');
    const states = (await rejected).map(({ status }) => status);
    // Two are checked, and 64 wait.
    expect(states.filter((status) => status === 'fulfilled')).toHaveLength(66);
    expect(await users.verify('a', 'p', '192.0.2.1')).not.toBeNull();
  });

  it('is done for two logins at a time, and the line is bounded', async () => {
    const users = new Users([{ name: 'a', passwordHash: await hashPassword('p') }]);
    work.isHeld = true;
    const waiting = Array.from({ length: 258 }, (_, n) => users.verify('a', `wrong${n}`));
    await settle();
    expect(work.running).toBe(2);
    await expect(users.verify('a', 'p')).rejects.toMatchObject({ code: 'BUSY' });
    await expect(users.verify('unknown', 'p')).rejects.toMatchObject({ code: 'BUSY' });
    release();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([null]));
    expect(work.most).toBe(2);
    expect(await users.verify('a', 'p')).not.toBeNull();
    expect(work.running).toBe(0);
  });

  it('of those who are verified needs no place in the line', async () => {
    const users = new Users([{ name: 'a', passwordHash: await hashPassword('p') }]);
    await users.verify('a', 'p');
    work.isHeld = true;
    const waiting = Array.from({ length: 258 }, (_, n) => users.verify('b', `wrong${n}`));
    await settle();
    expect(await users.verify('a', 'p')).not.toBeNull();
    release();
    await Promise.all(waiting);
  });

  it('keeps two logins apart that are the same text together', async () => {
    const users = new Users([
      { name: 'a', password: 'bc' },
      { name: 'ab', password: 'x' },
    ]);
    expect(await users.verify('a', 'bc')).not.toBeNull();
    expect(await users.verify('ab', 'c')).toBeNull();
  });
});

describe('a hash', () => {
  it('has its cost, its salt and nothing of the password, and is another one each time', async () => {
    const [one, other] = [await hashPassword('hunter2'), await hashPassword('hunter2')];
    expect(one).toMatch(/^scrypt\$16384\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
    expect(one).not.toBe(other);
    expect(await new Users([{ name: 'a', passwordHash: one }]).verify('a', 'hunter2')).not.toBeNull();
    expect(await new Users([{ name: 'a', passwordHash: one }]).verify('a', one)).toBeNull();
  });

  it('is that of RFC 7914, so that other programs can make it', async () => {
    work.isReal = true;
    const { scryptSync } = await vi.importActual<typeof crypto>('node:crypto');
    const salt = Buffer.alloc(16, 9);
    const key = scryptSync('pleaseletmein', salt, 32, { N: 16_384, r: 8, p: 1 });
    const passwordHash = `scrypt$16384$8$1$${salt.toString('base64url')}$${key.toString('base64url')}`;
    expect(await new Users([{ name: 'a', passwordHash }]).verify('a', 'pleaseletmein')).not.toBeNull();
  });

  it.each(['', 'p'.repeat(256), '\ud800', '\u20ac'.repeat(86)])('is not made of %j', async (password) => {
    await expect(hashPassword(password)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.not.stringContaining('ppp'),
    });
  });
});

describe('users', () => {
  it.each<[string, unknown]>([
    ['no name', [{ password: 'hunter2' }]],
    ['an empty name', [{ name: '', password: 'hunter2' }]],
    ['a colon in the name', [{ name: 'a:b', password: 'hunter2' }]],
    ['a control character in the name', [{ name: 'a\n', password: 'hunter2' }]],
    [
      'the same name twice',
      [
        { name: 'a', password: 'hunter2' },
        { name: 'a', password: 'b' },
      ],
    ],
    ['no password', [{ name: 'a' }]],
    ['an empty password', [{ name: 'a', password: '' }]],
    [
      'a password and a hash',
      [
        {
          name: 'a',
          password: 'hunter2',
          passwordHash: `scrypt$16384$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}`,
        },
      ],
    ],
    ['a hash of another kind', [{ name: 'a', passwordHash: '$2b$10$hunter2' }]],
    [
      'a hash of less work',
      [{ name: 'a', passwordHash: `scrypt$1024$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}` }],
    ],
    [
      'a hash of endless work',
      [{ name: 'a', passwordHash: `scrypt$1073741824$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}` }],
    ],
    ['no connections', [{ name: 'a', password: 'hunter2', maxConnections: 0 }]],
    ['an unknown field', [{ name: 'a', password: 'hunter2', limit: 5 }]],
    ['no list', { name: 'a', password: 'hunter2' }],
    ['too many', Array.from({ length: 10_001 }, (_, n) => ({ name: `u${n}`, password: 'hunter2' }))],
  ])('cannot have %s', (_, users) => {
    const error = thrownBy(() => new Users(users as GatewayUser[]));
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(inspect(error)).not.toContain('hunter2');
    expect(work.calls).toEqual([]);
  });

  it('show no password and no hash', async () => {
    const passwordHash = await hashPassword('hunter2');
    const users = new Users([
      { name: 'a', password: 'hunter2' },
      { name: 'b', passwordHash },
    ]);
    const verified = await users.verify('a', 'hunter2');
    for (const shown of [users, verified, await users.verify('b', 'hunter2')]) {
      const texts = [inspect(shown, { depth: null, showHidden: true }), JSON.stringify(shown), String(shown)];
      for (const text of texts) {
        expect(text).not.toContain('hunter2');
        expect(text).not.toContain(passwordHash.slice(-43));
      }
    }
    expect(Object.isFrozen(verified?.user)).toBe(true);
  });

  it('are as they were given, whatever the caller does with the array afterwards', async () => {
    const user = { name: 'a', password: 'p', tags: ['x'] };
    const users = new Users([user]);
    user.password = 'q';
    user.tags.push('y');
    expect(await users.verify('a', 'q')).toBeNull();
    expect(await users.verify('a', 'p')).toEqual({ user: { name: 'a', tags: ['x'] }, words: '' });
  });

  it('verify nothing but the name and the password, for any other text', async () => {
    const users = new Users([{ name: 'a-b', passwordHash: await hashPassword('p') }]);
    const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('a-b', 'a-b-c', 'a', 'b', 'p', '-'));
    await fc.assert(
      fc.asyncProperty(text, text, async (username, password) => {
        const isRight = (username === 'a-b' || username.startsWith('a-b-')) && password === 'p';
        expect(await users.verify(username, password)).toEqual(
          isRight ? { user: { name: 'a-b' }, words: username.slice(4) } : null,
        );
      }),
      { numRuns: 40 },
    );
  });
});

it('a username longer than any that could be right is wrong at once, also with a right name', async () => {
  const users = new Users([{ name: 'alice', password: 'pw' }]);
  await expect(users.verify(`alice-${'country-de-'.repeat(1000)}`, 'pw')).resolves.toBeNull();
  await expect(users.verify('alice-country-de', 'pw')).resolves.toMatchObject({ words: 'country-de' });
});
