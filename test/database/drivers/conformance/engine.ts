import type { Steps } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { answer, failureOf, type TestedEngine } from '../../../support/modes.ts';
import { fixture, INSERT, type Open, SELECT, steps, thrower } from './fixture.ts';

/** What an engine does besides statements. */
export function describeEngine(open: Open): void {
  const namesOf = async ({ engine }: TestedEngine): Promise<string[]> =>
    (await engine.objects()).map(({ type, name }) => `${type} ${name}`);

  it('runs scripts, and knows what is there', async () => {
    const tested = open();
    const { engine } = tested;
    expect(await namesOf(tested)).toEqual([]);
    await engine.script(`
      CREATE TABLE b (z INTEGER PRIMARY KEY AUTOINCREMENT, "a b" TEXT UNIQUE, c -- a comment
        INTEGER);
      CREATE INDEX i ON b (c);
      CREATE VIEW v AS SELECT z FROM b;
      CREATE TRIGGER t AFTER INSERT ON b BEGIN UPDATE b SET c = 1; END;`);
    expect(await namesOf(tested)).toEqual(['index i', 'table b', 'trigger t', 'view v']);
    const [index] = await engine.objects();
    expect(index).toEqual({ type: 'index', name: 'i', sql: 'CREATE INDEX i ON b (c)' });
    expect(await engine.columnsOf('b')).toEqual(['z', 'a b', 'c']);
    expect(await engine.columnsOf('nowhere')).toEqual([]);
    expect(await failureOf(() => engine.script('CREATE TABLE b (x)'))).toMatchObject({ code: 'SQL' });
  });

  it('takes a script into the transaction that it is run in', async () => {
    const tested = await fixture(open);
    const { engine, driver, stored } = tested;
    await failureOf(() =>
      driver.transaction(function* () {
        yield* answer(engine.script('CREATE TABLE made (x); INSERT INTO numbers (n) VALUES (1)'));
        expect(yield* answer(engine.columnsOf('made'))).toEqual(['x']);
        throw new Error('mine');
      }),
    );
    expect(await engine.columnsOf('made')).toEqual([]);
    expect(await stored()).toEqual([0]);
  });

  it('has another version once somebody else has committed, and not before', async () => {
    const { engine, peer } = await fixture(open);
    const before = await engine.version();
    expect(await engine.version()).toBe(before);
    const inside = await peer.transaction(function* () {
      yield* answer(peer.run(INSERT, { n: 1 }));
      return yield* answer(engine.version());
    });
    expect(inside).toBe(before);
    const after = await engine.version();
    expect(after).not.toBe(before);
    expect(await engine.version()).toBe(after);
  });

  it('runs what is to be done before it is closed, once, while it can still be used', async () => {
    const { path, engine, add, close, stored } = await fixture(open);
    const { driver } = engine;
    const write = (n: number) => async (): Promise<void> => void (await add(n));
    engine.beforeClose(write(1));
    engine.beforeClose(() => driver.transaction(() => steps(add(2), undefined)));
    const takeBack = engine.beforeClose(write(3));
    const same = write(4);
    engine.beforeClose(same);
    engine.beforeClose(same)();
    takeBack();
    takeBack();
    await close();
    await close();
    expect(await stored()).toEqual([0, 1, 2, 4]);
    expect(await failureOf(() => engine.driver.run(INSERT, { n: 9 }))).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(() => engine.beforeClose(write(5)))).toMatchObject({ code: 'CLOSED' });
    await open({ path }).close();
  });

  it('is closed though that throws, after all of it, and then throws its first error', async () => {
    const { engine, driver, add, close, stored } = await fixture(open);
    engine.beforeClose(() => driver.run('nonsense', {}, () => undefined));
    engine.beforeClose(() => driver.transaction(() => thrower(new Error('mine'))));
    engine.beforeClose(() => driver.run(INSERT, { n: 1 }, () => undefined));
    expect(await failureOf(close)).toMatchObject({ code: 'SQL' });
    expect(await failureOf(() => add(2))).toMatchObject({ code: 'CLOSED' });
    await close();
    expect(await stored()).toEqual([0, 1]);
  });

  it('gives no version once it is closed', async () => {
    const { engine, close } = await fixture(open);
    close();
    expect(await failureOf(() => engine.version())).toMatchObject({ code: 'CLOSED' });
  });

  it('shows one state in a snapshot, whatever others commit, and the state of the transaction in one', async () => {
    const { engine, driver, peer, add, all } = await fixture(open);
    const seen = await engine.snapshot(function* () {
      const before = yield* answer(all());
      yield* answer(peer.run(INSERT, { n: 1 }));
      return [before, yield* answer(all())];
    });
    expect(seen).toEqual([[0], [0]]);
    expect(await all()).toEqual([0, 1]);
    const inside = await driver.transaction(function* () {
      yield* answer(add(2));
      return yield* answer(engine.snapshot(() => answer(all())));
    });
    expect(inside).toEqual([0, 1, 2]);
    await failureOf(() => engine.snapshot(() => thrower(new Error('mine'))));
    expect(driver.scope).toBeNull();
    await add(3);
  });

  const family = `
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (parent INTEGER REFERENCES parent (id) ON DELETE CASCADE);
    INSERT INTO parent VALUES (1), (2);
    INSERT INTO child VALUES (1), (2);`;
  const children = 'SELECT parent FROM child ORDER BY parent';

  it('changes the schema whole or not at all', async () => {
    const tested = await fixture(open);
    const { engine } = tested;
    const before = await engine.objects();
    const mine = new Error('mine');
    const change = function* (fails: boolean): Steps<'async', string> {
      yield* answer(engine.script('ALTER TABLE numbers ADD COLUMN extra TEXT; CREATE TABLE made (x)'));
      yield* answer(engine.script('DROP TRIGGER forbid'));
      if (fails) throw mine;
      return 'its value';
    };
    expect(await failureOf(() => engine.changeSchema(() => change(true)))).toBe(mine);
    expect(await engine.objects()).toEqual(before);
    expect(await engine.changeSchema(() => change(false))).toBe('its value');
    expect(await engine.columnsOf('numbers')).toEqual(['n', 'data', 'extra']);
    expect(await namesOf(tested)).toEqual(['table forbidden', 'table made', 'table numbers']);
  });

  it('does not change the schema inside a transaction', async () => {
    const { engine, driver, add, stored } = await fixture(open);
    const work = function* (): Steps<'async', void> {
      yield* answer(add(1));
      yield* answer(engine.changeSchema(() => steps(add(2), null)));
    };
    expect(await failureOf(() => driver.transaction(work))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await stored()).toEqual([0]);
  });

  it('reads in the background what is committed, and shows every row of a table', async () => {
    const { engine, add } = await fixture(open);
    await add(1);
    await add(2);
    const seen = await engine.background.all('SELECT n FROM numbers WHERE n > :n', { n: 0 });
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
    const rows: unknown[] = [];
    await engine.eachRow('numbers', ({ n }) => rows.push(n));
    expect(rows).toEqual([0, 1, 2]);
    expect(await failureOf(() => engine.background.all('nonsense'))).toMatchObject({ code: 'SQL' });
  });

  it('knows its size, and that nothing is damaged', async () => {
    const { engine } = await fixture(open);
    const { fileBytes, pageSize, pageCount, version } = await engine.sizes();
    expect(pageSize * pageCount).toBeGreaterThan(0);
    expect(fileBytes).toBeGreaterThan(0);
    expect(version).toMatch(/^\d/);
    for (const deep of [false, true])
      expect(await engine.findDamage(deep)).toEqual({ problems: [], brokenReferences: [] });
  });

  it('keeps the rows that refer to a table which is rebuilt', async () => {
    const { engine, driver } = open();
    await engine.script(family);
    await engine.changeSchema(function* () {
      yield* answer(
        engine.script(`
          CREATE TABLE rebuilt (id INTEGER PRIMARY KEY, extra TEXT);
          INSERT INTO rebuilt (id) SELECT id FROM parent;
          DROP TABLE parent;
          ALTER TABLE rebuilt RENAME TO parent;`),
      );
    });
    expect(await driver.all(children, {}, (row) => row.parent)).toEqual([1, 2]);
    expect(await engine.columnsOf('parent')).toEqual(['id', 'extra']);
    // References are held again.
    expect(await driver.run('DELETE FROM parent WHERE id = 1', {})).toBe(1);
    expect(await driver.all(children, {}, (row) => row.parent)).toEqual([2]);
  });

  it('changes nothing if rows would refer to rows that are gone', async () => {
    const { engine, driver } = open();
    await engine.script(family);
    const work = () =>
      engine.changeSchema(() => steps(engine.script('DELETE FROM parent WHERE id = 1'), null));
    const error = await failureOf(work);
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED', message: expect.stringContaining('child') });
    expect(await driver.all('SELECT id FROM parent', {}, (row) => row.id)).toEqual([1, 2]);
    expect(await driver.all(children, {}, (row) => row.parent)).toEqual([1, 2]);
  });

  it('tries steps out on an empty database, of which nothing is left', async () => {
    const tested = await fixture(open);
    const { engine, stored } = tested;
    const before = await engine.objects();
    const seen = await engine.tryOut(function* (twin) {
      const empty = yield* answer(twin.objects());
      yield* answer(twin.script('CREATE TABLE numbers (only TEXT)'));
      yield* answer(twin.driver.run('INSERT INTO numbers VALUES (:n)', { n: 'x' }));
      return [empty, yield* answer(twin.columnsOf('numbers')), yield* answer(engine.columnsOf('numbers'))];
    });
    expect(seen).toEqual([[], ['only'], ['n', 'data']]);
    expect(await engine.objects()).toEqual(before);
    const mine = new Error('mine');
    expect(await failureOf(() => engine.tryOut(() => thrower(mine)))).toBe(mine);
    expect(await stored()).toEqual([0]);
  });

  it('empties its log, but not under a stream', async () => {
    const { engine, driver, add } = await fixture(open);
    await add(1);
    const stream = driver.iterate(SELECT, {}, (row) => row.n);
    await stream.next();
    await add(2);
    expect(await engine.checkpoint()).toMatchObject({ complete: false });
    await stream.return?.();
    expect(await engine.checkpoint()).toMatchObject({ complete: true });
  });
}
