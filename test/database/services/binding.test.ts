import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type CredentialContent, openBound, type Place, sealBound } from '../../../src/keys/binding.ts';
import { SecretKey } from '../../../src/keys/secret-key.ts';
import { PROXY_PROTOCOLS, type ProxyAddress } from '../../../src/model/proxy.ts';

const KEYS = [SecretKey.generate(), SecretKey.generate()] as const;
const CONTENTS: readonly CredentialContent[] = ['login', 'text'];

/** Short texts of few characters, so that parts often run together or are equal. */
const part = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '1', ':', '\0', 'ü'), maxLength: 3 }),
  fc.string(),
);
const address: fc.Arbitrary<ProxyAddress> = fc.record({
  protocol: fc.constantFrom(...PROXY_PROTOCOLS),
  host: part,
  port: fc.integer({ min: 1, max: 65_535 }),
});
const place = fc.record({ databaseId: part, proxyId: part, address });

it('a credential opens at its place, and at no other that differs in one field or in several', () => {
  const property = fc.property(
    place,
    place,
    fc.subarray(['databaseId', 'proxyId', 'protocol', 'host', 'port', 'key', 'content'] as const),
    fc.constantFrom(...CONTENTS),
    fc.string(),
    (mine, other, changed, content, text) => {
      const sealed = sealBound(KEYS[0], mine, content, text);
      const claims = [sealed, { ...sealed, address: undefined }, { ...sealed, boundTo: undefined }];
      for (const stored of claims)
        expect(openBound(KEYS[0], mine, stored)).toEqual({ content, text, binding: 'address' });

      const takes = <T>(field: (typeof changed)[number], own: T, others: T): T =>
        changed.includes(field) ? others : own;
      const there: Place & { address: ProxyAddress } = {
        databaseId: takes('databaseId', mine.databaseId, other.databaseId),
        proxyId: takes('proxyId', mine.proxyId, other.proxyId),
        address: {
          protocol: takes('protocol', mine.address.protocol, other.address.protocol),
          host: takes('host', mine.address.host, other.address.host),
          port: takes('port', mine.address.port, other.address.port),
        },
      };
      const key = takes('key', KEYS[0], KEYS[1]);
      const claimed = takes('content', content, content === 'login' ? 'text' : 'login');
      const same = JSON.stringify([there, claimed]) === JSON.stringify([mine, content]) && key === KEYS[0];
      fc.pre(!same);
      for (const stored of claims.slice(0, 2))
        expect(openBound(key, there, { ...stored, content: claimed })).toBeNull();
      // What claims to be bound to nothing finds its own content, at its own place only.
      const moved = JSON.stringify(there) !== JSON.stringify(mine) || key !== KEYS[0];
      if (moved) expect(openBound(key, there, { ...sealed, boundTo: undefined })).toBeNull();
      expect(openBound(key, { ...there, address: null }, sealed)).toBeNull();
    },
  );
  fc.assert(property, { numRuns: 200 });
});
