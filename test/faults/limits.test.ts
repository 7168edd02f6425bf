import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const SHELL = process.platform === 'win32' ? null : '/bin/sh';

/** Runs a script against the built package under a limit of the shell's `ulimit`; gives the lines it prints as JSON. */
function under(limit: string, script: string, folder: string): unknown[] {
  const file = join(folder, 'script.mjs');
  writeFileSync(
    file,
    `import { closeSync, openSync } from 'node:fs';
    const { initDatabase } = await import(${JSON.stringify(import.meta.resolve('../../dist/database/index.js'))});
    const say = (value) => console.log(JSON.stringify(value));
    const told = ({ name, code, message, details }) => ({ name, code, message, errno: details?.errno, sqlite: details?.sqlite });
    const outcome = async (work) => { try { await work(); return { code: 'OK' }; } catch (error) { return told(error); } };
    /** Takes all file descriptors but so many. */
    const leave = (free) => {
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null')); } catch {}
      for (const descriptor of taken.splice(0, free)) closeSync(descriptor);
      return () => { for (const descriptor of taken) closeSync(descriptor); };
    };
    const path = ${JSON.stringify(join(folder, 'pool.db'))};
    ${script}`,
  );
  const { stdout, stderr, signal } = spawnSync(
    SHELL ?? '',
    ['-c', `ulimit ${limit} && exec "$0" "$1"`, process.execPath, file],
    { encoding: 'utf8', timeout: 30_000 },
  );
  expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
  return stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

it.runIf(SHELL)('the limit on the size of a file is DISK_FULL, and leaves what was stored', () => {
  const folder = temporaryFolder();
  const [error, left, deep, count] = under(
    '-f 2000',
    `const db = initDatabase({ path });
    db.driver.exec('CREATE TABLE blobs (data BLOB)');
    const add = () => db.driver.run('INSERT INTO blobs VALUES (zeroblob(20000))', {});
    let stored = 0;
    say(await outcome(() => { for (;;) { add(); stored++; } }));
    say(await outcome(() => db.driver.all('SELECT 1', {}, () => 1)));
    db.driver.pragma('cache_size = 1');
    say(await outcome(() => db.transaction(() => { try { db.transaction(() => { for (;;) add(); }); } catch {} add(); })));
    say({ stored, counted: db.driver.first('SELECT count(*) AS n FROM blobs', {}, (row) => row.n) });
    db.close();`,
    folder,
  );
  const full = { code: 'DISK_FULL', errno: 'EFBIG', message: expect.stringContaining('ulimit -f') };
  expect(error).toMatchObject({ ...full, sqlite: 'SQLITE_IOERR_WRITE' });
  expect(left).toEqual({ code: 'OK' });
  expect(deep).toMatchObject(full);
  const { stored, counted } = count as { stored: number; counted: number };
  expect(counted).toBe(stored);
  expect(readdirSync(folder).filter((name) => name.includes('probe'))).toEqual([]);
});

it.runIf(SHELL)('too many open files is CANNOT_OPEN with the advice, wherever a file is opened', () => {
  const folder = temporaryFolder();
  const [probe, ...outcomes] = under(
    '-n 80',
    `const db = initDatabase({ path });
    db.driver.exec('CREATE TABLE numbers (n INTEGER); INSERT INTO numbers VALUES (1)');
    say(await outcome(() => [...db.driver.iterate('SELECT n FROM numbers', {}, () => 1)]));
    for (let free = 0; free <= 8; free++) {
      const give = leave(free);
      const all = [
        await outcome(() => db.background.all('SELECT 1')),
        await outcome(() => Promise.all([1, 2, 3].map(() => db.background.all('SELECT 1')))),
        await outcome(() => db.check()),
        await outcome(() => db.stats()),
        await outcome(() => initDatabase({ path: path + '2' }).close()),
        await outcome(() => initDatabase({ path }).close()),
        await outcome(() => {
          const streams = [1, 2, 3].map(() => db.driver.iterate('SELECT n FROM numbers', {}, () => 1));
          try { for (const stream of streams) stream.next(); } finally { for (const stream of streams) stream.return(); }
        }),
        await outcome(() => db.driver.run('INSERT INTO numbers VALUES (1)', {})),
      ];
      give();
      say({ free, all });
    }
    say({ free: 'all', all: [await outcome(() => db.check()), await outcome(() => db.background.all('SELECT 1'))] });
    await db[Symbol.asyncDispose]();`,
    folder,
  );
  expect(probe).toEqual({ code: 'OK' });
  const rows = outcomes as { free: number | string; all: { code: string; message: string }[] }[];
  expect(rows).toHaveLength(10);
  expect(rows.at(-1)?.all.map(({ code }) => code)).toEqual(['OK', 'OK']);
  for (const { free, all } of rows) {
    for (const [index, { code, message }] of all.entries()) {
      const where = `${String(free)} free, call ${index}: ${code} ${message}`;
      expect(['OK', 'CANNOT_OPEN'], where).toContain(code);
      if (code === 'CANNOT_OPEN') expect(message, where).toMatch(/too many open files.*ulimit -n/);
    }
  }
  expect(rows[0]?.all.slice(0, 6).map(({ code }) => code)).toEqual(new Array(6).fill('CANNOT_OPEN'));
});

it.runIf(SHELL)(
  'the limit on the size of a file is DISK_FULL for a backup too, whose copy is written page by page',
  () => {
    const folder = temporaryFolder();
    const script = (work: string) => `const db = initDatabase({ path }); ${work} db.close();`;
    under(
      '-f 20000',
      script(`db.driver.exec('CREATE TABLE blobs (data BLOB)');
    db.driver.run('INSERT INTO blobs VALUES (zeroblob(500000))', {}); say(1);`),
      folder,
    );
    const target = JSON.stringify(join(folder, 'copy.db'));
    // 64 KiB are 128 blocks of 512 bytes.
    const [error] = under('-f 128', script(`say(await outcome(() => db.backup(${target})));`), folder);
    expect(error).toMatchObject({
      code: 'DISK_FULL',
      errno: 'EFBIG',
      message: expect.stringContaining('ulimit -f'),
    });
  },
);
