import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Addresses } from '../../../src/rotation/index/addresses.ts';
import { hashOf } from '../../../src/rotation/index/hash.ts';
import { Ids } from '../../../src/rotation/index/ids.ts';
import { Records } from '../../../src/rotation/index/records.ts';

const SLOTS = 24;
/** Ids with the same hash. */
const SAME_HASH = ['id-149599', 'id-312382'] as const;

const endpoint = fc.record({
  host: fc.constantFrom('h.example', '192.0.2.1', '2001:db8::1', '::', `${'x'.repeat(60)}.example`.repeat(3)),
  port: fc.constantFrom(1, 80, 8080, 65_535),
});
const id = fc.oneof(
  fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
  fc.string({ minLength: 1, maxLength: 128 }),
  fc.uuid(),
  fc.constantFrom(2047, 2048, 100_000).map((length) => 'x'.repeat(length)),
);
const change = fc.oneof(
  { weight: 5, arbitrary: fc.record({ slot: fc.nat({ max: SLOTS - 1 }), id, endpoint }) },
  { weight: 1, arbitrary: fc.record({ slot: fc.nat({ max: SLOTS - 1 }), id: fc.constant(null) }) },
);

/** As a proxy is called. */
function addressOf({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

it('each slot has the id, the host and the address that it was given last', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 60 }), (changes) => {
      const addresses = new Addresses(new Records(SLOTS));
      const model = new Map<number, { id: string; host: string; address: string }>();
      for (const each of changes) {
        if (each.id === null) {
          addresses.clear(each.slot);
          model.delete(each.slot);
        } else {
          addresses.set(each.slot, each.id, each.endpoint);
          model.set(each.slot, {
            id: each.id,
            host: each.endpoint.host,
            address: addressOf(each.endpoint),
          });
        }
        // The slot that was changed is asked before all others, and after.
        for (const slot of [each.slot, ...Array(SLOTS).keys(), each.slot])
          expect(found(addresses, slot)).toEqual(model.get(slot) ?? { id: '', host: '', address: '' });
      }
    }),
  );
});

function found(addresses: Addresses, slot: number): { id: string; host: string; address: string } {
  return { id: addresses.id(slot), host: addresses.host(slot), address: addresses.address(slot) };
}

it('is right over many texts, and after the characters that are left over are thrown away', () => {
  const addresses = new Addresses(new Records(3000));
  const long = (slot: number, round: number): string => `${slot}-${round}-`.padEnd(128, 'x');
  // 24 million characters, of which 0.4 million are in use at last.
  for (let round = 0; round < 60; round++)
    for (let slot = 0; slot < 3000; slot++)
      addresses.set(slot, long(slot, round), { host: `h${round}.example`, port: 1 + slot });
  for (let slot = 0; slot < 3000; slot++)
    expect(found(addresses, slot)).toEqual({
      id: long(slot, 59),
      host: 'h59.example',
      address: `h59.example:${1 + slot}`,
    });
});

it('an id that is kept keeps few others in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const addresses = new Addresses(new Records(3000));
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 3000 }, (_, slot) => {
    addresses.set(slot, `${slot}-`.padEnd(36, 'x'), { host: 'h.example', port: 80 });
    return addresses.id(slot);
  });
  collect();
  // With all ids before it in a text of 64 KiB it was 96 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(24 * 2 ** 20);
  expect(kept).toHaveLength(3000);
});

it('the ids of the next test have the same hash', () => {
  expect(hashOf(SAME_HASH[0])).toBe(hashOf(SAME_HASH[1]));
});

it('finds the slot of each id, also of ids with the same hash, as a Map does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ isAdded: fc.boolean(), id: fc.oneof(fc.constantFrom(...SAME_HASH), id) }), {
        minLength: 1,
        maxLength: 100,
      }),
      fc.constantFrom(1, 3, 64),
      (changes, expected) => {
        let capacity = expected;
        const records = new Records(capacity);
        const addresses = new Addresses(records);
        const ids = new Ids(records, addresses, capacity);
        const model = new Map<string, number>();
        const free: number[] = [];
        let end = 0;
        for (const each of changes) {
          const known = model.get(each.id);
          expect(ids.slotOf(each.id)).toBe(known ?? -1);
          if (each.isAdded && known === undefined) {
            const slot = free.pop() ?? end++;
            if (slot === capacity) {
              capacity *= 2;
              records.grow(capacity);
              ids.grow(capacity);
            }
            addresses.set(slot, each.id, { host: 'h.example', port: 1 });
            ids.add(slot, each.id);
            model.set(each.id, slot);
          } else if (!each.isAdded && known !== undefined) {
            ids.remove(known);
            addresses.clear(known);
            model.delete(each.id);
            free.push(known);
          }
          expect(ids.size).toBe(model.size);
          for (const [key, slot] of model) expect(ids.slotOf(key)).toBe(slot);
        }
      },
    ),
  );
});
