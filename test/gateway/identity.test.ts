import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Asker } from '../../src/gateway/asking.ts';
import {
  type ClientIdentity,
  IDENTITY_WORDS,
  type IdentityWord,
  identityFrom,
} from '../../src/gateway/identity.ts';
import { identityOfHeaders, isOwnHeader } from '../../src/gateway/identity-headers.ts';
import { parseListen } from '../../src/gateway/listen-text.ts';
import { mergeIdentities } from '../../src/gateway/merged-identity.ts';
import { identityOfUsername } from '../../src/gateway/username.ts';
import { PROXY_PROTOCOLS } from '../../src/model/proxy.ts';
import { ROTATION_STRATEGIES } from '../../src/model/rotation.ts';
import { thrownBy } from '../support/temporary.ts';

/** Any text that the pool takes as a session, a region or a tag. */
const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    fc.constantFrom('-', 'a-b', 'country', 'session', 'ttl-5', '100%', 'a,b', '=', ' ', ':', '@'),
  )
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));

const MINUTE = 60_000;
const ttl = fc.constantFrom<[string, number]>(
  ['30', 30 * MINUTE],
  ['30m', 30 * MINUTE],
  ['90s', 90_000],
  ['2h', 120 * MINUTE],
  ['1.5h', 90 * MINUTE],
  ['500ms', 500],
  ['1w', 7 * 24 * 60 * MINUTE],
);

/** An identity, and its words in some order. */
const identities: fc.Arbitrary<{ identity: ClientIdentity; pairs: [IdentityWord, string][] }> = fc
  .record(
    {
      country: fc.stringMatching(/^[A-Za-z]{2}$/),
      region: name,
      session: fc.tuple(name, fc.option(ttl)),
      protocol: fc.constantFrom(...PROXY_PROTOCOLS),
      tags: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
      strategy: fc.constantFrom(...ROTATION_STRATEGIES),
    },
    { requiredKeys: [] },
  )
  .chain(({ country, session, tags, ...rest }) => {
    const [sessionName, time] = session ?? [];
    const { region, protocol, strategy } = rest;
    const pairs: [IdentityWord, string][] = (tags ?? []).map((tag) => ['tag', tag]);
    for (const [word, value] of Object.entries({
      country,
      session: sessionName,
      ttl: time?.[0],
      region,
      protocol,
      strategy,
    }))
      if (value !== undefined) pairs.push([word as IdentityWord, value]);
    const identity: ClientIdentity = {
      ...rest,
      ...(country !== undefined && { country: country.toUpperCase() }),
      ...(sessionName !== undefined && { session: sessionName }),
      ...(time && { ttlMs: time[1] }),
      ...(tags !== undefined && { tags }),
    };
    return fc
      .shuffledSubarray(pairs, { minLength: pairs.length })
      .map((shuffled) => ({ identity: asSorted(identity), pairs: shuffled }));
  });

/** The order of tags says nothing. */
function asSorted({ tags, ...identity }: ClientIdentity): ClientIdentity {
  return { ...identity, ...(tags && { tags: tags.toSorted() }) };
}

const errorOf = (work: () => unknown): Error => thrownBy(work) as Error;

/** Small letters of a country and capitals of a word say the same. */
const anyCase = (text: string, isUpper: boolean): string => (isUpper ? text.toUpperCase() : text);
const escaped = (text: string): string => encodeURIComponent(text).replaceAll('-', '%2D');

describe('an identity', () => {
  it('is the same as a username, as headers and at a port, in any order and case', () => {
    fc.assert(
      fc.property(identities, fc.boolean(), ({ identity, pairs }, isUpper) => {
        const words = pairs.map(([word, value]) => `${anyCase(word, isUpper)}-${escaped(value)}`);
        expect(asSorted(identityOfUsername(words.join('-')))).toEqual(identity);
        const headers = pairs.flatMap(([word, value]) => [
          anyCase(`x-proxyvault-${word}`, isUpper),
          ` ${encodeURIComponent(value)} `,
        ]);
        expect(asSorted(identityOfHeaders(['Host', 'a.example', ...headers, 'Cookie', 'a']))).toEqual(
          identity,
        );
        if (words.length === 0) return;
        const { port, identity: ofPort } = parseListen(`24001=${words.join(isUpper ? '-' : ',')}`);
        expect(port).toBe(24_001);
        expect(asSorted(ofPort)).toEqual(identity);
      }),
    );
  });

  it('says nothing if nothing is given', () => {
    expect(identityOfUsername('')).toEqual({});
    expect(identityOfHeaders([])).toEqual({});
    expect(identityOfHeaders(['Host', 'a.example'])).toEqual({});
    expect(parseListen('24001')).toEqual({ port: 24_001, identity: {} });
  });

  it('cannot be changed by who has it', () => {
    const identity = identityOfUsername('session-a-tag-b');
    expect(Object.isFrozen(identity)).toBe(true);
    expect(Object.isFrozen(identity.tags)).toBe(true);
    expect(identityOfUsername('session-a-tag-b')).toEqual({ session: 'a', tags: ['b'] });
  });

  it('takes names of strategies as they are', () => {
    for (const strategy of ROTATION_STRATEGIES) {
      expect(identityOfUsername(`strategy-${strategy}-session-a`)).toEqual({ strategy, session: 'a' });
      expect(identityOfUsername(`session-a-strategy-${strategy.toUpperCase()}`)).toEqual({
        strategy,
        session: 'a',
      });
    }
  });

  it('counts a time without a unit in minutes, as most providers do', () => {
    expect(identityOfUsername('session-a-ttl-10').ttlMs).toBe(600_000);
    expect(identityOfUsername('session-a-ttl-10s').ttlMs).toBe(10_000);
  });
});

describe('a wrong username', () => {
  const ALL = /country, region, session, ttl, protocol, tag, strategy/;

  it.each<[string, RegExp]>([
    ['hunter2', ALL],
    ['customer-hunter2', ALL],
    ['country-de-hunter2', ALL],
    ['country-de-hunter2-x', ALL],
    ['session-a-hunter2', ALL],
    ['Session-a-', ALL],
    ['-country-de', ALL],
    ['-', ALL],
    ['country', /no value for country.*country, region/s],
    ['country-', /no value for country/],
    ['country--session-a', /no value for country/],
    ['session-a-TAG', /no value for tag/],
    ['strategy', /no value for strategy/],
    ['country-de-country-fr', /country twice/],
    ['session-hunter2-session-hunter2', /session twice/],
    ['strategy-random-strategy-fastest', /strategy twice/],
    ['country-hunter2', /country: must be two letters/],
    ['country-d1', /country: must be two letters/],
    ['protocol-hunter2', /protocol: must be one of http, https, socks4, socks5/],
    ['protocol-socks5h', /protocol: must be one of/],
    ['strategy-hunter2', /strategy: must be one of round-robin, random/],
    ['session-a-ttl-hunter2', /ttl: must be a number of minutes, or a number with ms, s, m, h, d or w/],
    ['session-a-ttl-0', /ttl: must be/],
    ['session-a-ttl-0s', /ttl: must be/],
    ['session-a-ttl-%2D5', /ttl: must be/],
    ['session-a-ttl-999999w', /at most ten years/],
    ['session-hunter2%', /% that begins no escape.*%25/],
    ['session-hunter2%FF', /% that begins no escape/],
    ['session-%00hunter2', /session: has a control character/],
    [`session-${'hunter2'.repeat(40)}`, /session: must have at most 256 characters/],
    [`tag-${'hunter2'.repeat(20)}`, /tag: must have at most 128/],
    [`region-${'hunter2'.repeat(20)}`, /region: must have at most 128/],
    ['hunter2'.repeat(400), /longer than 2048/],
  ])('%s', (text, message) => {
    const error = errorOf(() => identityOfUsername(text));
    expect(error).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
      details: {},
    });
    expect(String(error.stack)).not.toContain('hunter2');
  });

  it('is never repeated, and nothing but INVALID_INPUT is thrown', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc
        .array(fc.oneof(fc.constantFrom(...IDENTITY_WORDS), fc.constantFrom('hunter2', '', 'de', '%', '30m')))
        .map((parts) => parts.join('-')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          identityOfUsername(any);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_INPUT' });
          expect((error as Error).message).not.toContain('hunter2');
        }
      }),
    );
  });
});

describe('headers', () => {
  it('join tags, with commas or several headers', () => {
    const headers = ['X-Proxyvault-Tag', 'a, b', 'x-proxyvault-tag', 'c,a', 'X-PROXYVAULT-TAG', 'd%2Ce'];
    expect(identityOfHeaders(headers)).toEqual({ tags: ['a', 'b', 'c', 'd,e'] });
  });

  it('are UTF-8, or have escapes', () => {
    const region = Buffer.from('Île-de-France').toString('latin1');
    expect(identityOfHeaders(['X-Proxyvault-Region', region])).toEqual({ region: 'Île-de-France' });
    expect(identityOfHeaders(['X-Proxyvault-Region', '%C3%8Ele-de-France'])).toEqual({
      region: 'Île-de-France',
    });
    expect(() => identityOfHeaders(['X-Proxyvault-Region', '\xcele'])).toThrow(/not UTF-8/);
  });

  it.each([
    [['X-Proxyvault-hunter2', 'a'], /X-Proxyvault-Country, X-Proxyvault-Region, X-Proxyvault-Session/],
    [['X-Proxyvault-', 'a'], /X-Proxyvault-Country/],
    [['X-Proxyvault-Sessions', 'hunter2'], /X-Proxyvault-Country/],
    [['X-Proxyvault-Session', 'hunter2', 'x-proxyvault-session', 'hunter2'], /session twice/],
    [['X-Proxyvault-Session', ' '], /no value for session/],
    [['X-Proxyvault-Tag', 'hunter2,'], /no value for tag/],
    [['X-Proxyvault-Country', 'hunter2'], /two letters/],
  ])('%j are wrong', (headers, message) => {
    const error = errorOf(() => identityOfHeaders(headers));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(error.message).not.toContain('hunter2');
  });

  it('of our own begin with X-Proxyvault-, in any case', () => {
    expect(['x-proxyvault-a', 'X-PROXYVAULT-', 'X-Proxyvault-Session'].every(isOwnHeader)).toBe(true);
    expect(['x-proxyvault', 'proxyvault-a', 'xx-proxyvault-a', ''].some(isOwnHeader)).toBe(false);
  });
});

describe('--listen', () => {
  it.each([
    ['24001', { port: 24_001, identity: {} }],
    ['0', { port: 0, identity: {} }],
    ['24001=country-de,session-a', { port: 24_001, identity: { country: 'DE', session: 'a' } }],
    ['24001=country-de-session-a', { port: 24_001, identity: { country: 'DE', session: 'a' } }],
    [
      '24001=tag,paid,strategy-round-robin',
      { port: 24_001, identity: { tags: ['paid'], strategy: 'round-robin' } },
    ],
    ['127.0.0.1:24001=session-a', { port: 24_001, host: '127.0.0.1', identity: { session: 'a' } }],
    ['localhost:24001', { port: 24_001, host: 'localhost', identity: {} }],
    ['[::1]:24001=session-a%3D1', { port: 24_001, host: '::1', identity: { session: 'a=1' } }],
  ])('%s', (text, listen) => {
    expect(parseListen(text)).toEqual(listen);
  });

  it.each([
    ['', /HOST/],
    ['=session-a', /HOST/],
    ['hunter2', /HOST/],
    ['hunter2:a', /HOST/],
    [':24001', /HOST/],
    ['00', /HOST/],
    ['024001', /HOST/],
    ['65536', /HOST/],
    ['-1', /HOST/],
    ['::1:24001', /HOST/],
    ['[::1]', /HOST/],
    ['[hunter2]:24001', /HOST/],
    ['127.1:24001', /HOST/],
    ['24001=', /nothing after the "="/],
    ['24001=hunter2', /unknown word/],
    ['24001=country-de,', /unknown word/],
    ['24001=session=hunter2', /unknown word/],
  ])('%s is wrong', (text, message) => {
    const error = errorOf(() => parseListen(text));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(error.message).not.toContain('hunter2');
  });
});

describe('an identity of a program', () => {
  it('is checked and kept apart from what was given', () => {
    const given = { country: 'de', region: undefined, session: 's', ttlMs: 5, tags: ['a', 'b', 'a'] };
    const identity = identityFrom(given);
    given.tags.push('c');
    expect(identity).toStrictEqual({ country: 'DE', session: 's', ttlMs: 5, tags: ['a', 'b'] });
    expect(identityFrom({ tags: [] })).toStrictEqual({});
    expect([identity, identity.tags].every(Object.isFrozen)).toBe(true);
  });

  it.each<[unknown, RegExp]>([
    [{ country: 'hunter2' }, /country: must be two letters/],
    [{ protocol: 'SOCKS5' }, /protocol: must be one of/],
    [{ strategy: 'hunter2' }, /strategy: must be one of/],
    [{ session: '' }, /session: must not be empty/],
    [{ session: 'a', ttlMs: 0 }, /ttlMs/],
    [{ session: 'a', ttlMs: 1.5 }, /ttlMs/],
    [{ tags: 'hunter2' }, /tags: must be an array/],
    [{ tags: [''] }, /tags.0: must not be empty/],
    [{ sesion: 'hunter2' }, /has no "sesion"; there are country, region, session/],
    [null, /must be an object/],
  ])('%j is wrong', (fields, message) => {
    const error = errorOf(() => identityFrom(fields as ClientIdentity));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(error.message).not.toContain('hunter2');
  });

  it('is what it gives', () => {
    fc.assert(
      fc.property(identities, ({ identity }) => {
        expect(identityFrom(identity)).toStrictEqual(identity);
      }),
    );
  });
});

describe('what is fixed and what is asked for', () => {
  it('are joined, and the fixed part holds', () => {
    const fixed = { country: 'DE', tags: ['a'] };
    expect(mergeIdentities(fixed, { session: 's', country: 'DE', tags: ['b', 'a'] })).toEqual({
      country: 'DE',
      session: 's',
      tags: ['a', 'b'],
    });
    expect(mergeIdentities({ country: undefined, session: 'a' }, { country: 'DE' })).toEqual({
      country: 'DE',
      session: 'a',
    });
    expect(mergeIdentities({ session: 'a', ttlMs: 5 }, { session: 'a' })).toEqual({ session: 'a', ttlMs: 5 });
  });

  it.each<[ClientIdentity, ClientIdentity, string]>([
    [{ country: 'DE' }, { country: 'FR' }, 'country'],
    [{ region: 'a' }, { region: 'b' }, 'region'],
    [{ session: 'a' }, { session: 'hunter2' }, 'session'],
    [{ session: 'a', ttlMs: 1 }, { session: 'a', ttlMs: 2 }, 'ttl'],
    [{ protocol: 'http' }, { protocol: 'socks5' }, 'protocol'],
    [{ strategy: 'random' }, { strategy: 'fastest' }, 'strategy'],
  ])('%j and %j do not fit', (fixed, asked, word) => {
    const error = errorOf(() => mergeIdentities(fixed, asked));
    expect(error).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(`The ${word} is fixed`),
    });
    expect(error.message).not.toContain('hunter2');
  });

  it('change nothing if one of them is empty or both are the same; no fixed value is ever lost', () => {
    const any = identities.map(({ identity }) => identity);
    fc.assert(
      fc.property(any, any, (one, other) => {
        expect(mergeIdentities(one, {})).toEqual(one);
        expect(mergeIdentities({}, one)).toEqual(one);
        expect(mergeIdentities(one, one)).toEqual(one);
        let both: ClientIdentity;
        try {
          both = mergeIdentities(one, other);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_INPUT' });
          return;
        }
        const { tags = [], ...fixed } = one;
        expect(both).toMatchObject(fixed);
        expect(both.tags ?? []).toEqual(expect.arrayContaining([...tags, ...(other.tags ?? [])]));
      }),
    );
  });
});

describe('a ttl and its session', () => {
  const ask = async (
    fixed: Parameters<typeof identityFrom>[0] | null,
    username: string,
    headers: string[] = [],
  ): Promise<unknown> => {
    const asker = new Asker(null, fixed === null ? null : identityFrom(fixed));
    const asked = await asker.ask({ username, password: '' }, headers);
    return 'identity' in asked ? asked.identity : asked.status;
  };
  const TTL = ['X-Proxyvault-Ttl', '30m'];

  it.each([
    [null, 'session-a', TTL],
    [null, 'ttl-30m', ['X-Proxyvault-Session', 'a']],
    [{ session: 'a' }, 'ttl-30m', []],
    [{ ttlMs: 1_800_000 }, 'session-a', []],
    [{ session: 'a' }, '', TTL],
  ])('may come from two places: port %o, username %j, headers %j', async (fixed, username, headers) => {
    expect(await ask(fixed, username, headers)).toEqual({ session: 'a', ttlMs: 1_800_000 });
  });

  it.each([
    [null, 'ttl-30m', []],
    [null, 'country-de', TTL],
    [{ ttlMs: 5 }, '', []],
    [{ country: 'de' }, 'ttl-30m', []],
  ])('are rejected without a session: port %o, username %j, headers %j', async (fixed, username, headers) => {
    expect(await ask(fixed, username, headers)).toBe(407);
  });
});
