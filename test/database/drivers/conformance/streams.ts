import type { SqlValue } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { answer, failureOf, listOf } from '../../../support/modes.ts';
import { fixture, type Open, SELECT, steps } from './fixture.ts';

/** Streams during writes, and what they hold. */
export function describeStreams(open: Open): void {
  it('see the state of their first row, and nothing that is written meanwhile', async () => {
    const { driver, add, stored } = await fixture(open);
    await add(1);
    const stream = driver.iterate(SELECT, {}, (row) => row.n);
    await add(2);
    const seen = [(await stream.next()).value];
    await add(3);
    await driver.transaction(() => steps(add(4), null));
    for await (const n of stream) seen.push(n);
    expect(seen).toEqual([0, 1, 2]);
    expect(await stored()).toEqual([0, 1, 2, 3, 4]);
  });

  it('hold nothing before the first row, and nothing after their end, a throw or being left', async () => {
    const { driver, add } = await fixture(open, { maxReaders: 1 });
    await add(1);
    const stream = (map = (row: Record<string, SqlValue>): unknown => row.n) =>
      driver.iterate(SELECT, {}, map);
    const unread = [stream(), stream()];
    expect(await listOf(stream())).toEqual([0, 1]);
    for await (const _ of stream()) break;
    const fail = (): never => {
      throw new Error('mine');
    };
    await failureOf(() => stream(fail).next());
    const returned = stream();
    await returned.next();
    expect(await returned.return?.()).toMatchObject({ done: true });
    expect(await returned.next()).toEqual({ done: true, value: undefined });
    for (const one of unread) expect(await listOf(one)).toEqual([0, 1]);
  });

  it('are BUSY if there are more of them than readers, and one more has its turn after the end of one', async () => {
    const { driver, add } = await fixture(open, { maxReaders: 2 });
    await add(1);
    const [a, b, c, d] = Array.from({ length: 4 }, () => driver.iterate(SELECT, {}, (row) => row.n));
    await a?.next();
    await b?.next();
    expect(await failureOf(() => c?.next())).toMatchObject({ code: 'BUSY' });
    await a?.return?.();
    expect(await d?.next()).toEqual({ done: false, value: 0 });
    await b?.return?.();
    await d?.return?.();
  });

  it('see in a transaction what it has written, and need no reader', async () => {
    const { driver, add } = await fixture(open, { maxReaders: 1 });
    const outside = driver.iterate(SELECT, {}, (row) => row.n);
    await outside.next();
    const seen = await driver.transaction(function* () {
      yield* answer(add(1));
      const stream = driver.iterate(SELECT, {}, (row) => row.n);
      const rows: unknown[] = [];
      for (;;) {
        const next = yield* answer(stream.next());
        if (next.done) return rows;
        rows.push(next.value);
      }
    });
    expect(seen).toEqual([0, 1]);
    await outside.return?.();
  });

  it('are CLOSED with their database', async () => {
    const { driver, add, close } = await fixture(open);
    await add(1);
    const stream = driver.iterate(SELECT, {}, (row) => row.n);
    await stream.next();
    close();
    expect(await failureOf(() => stream.next())).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(() => driver.iterate(SELECT, {}, (row) => row.n).next())).toMatchObject({
      code: 'CLOSED',
    });
  });
}
