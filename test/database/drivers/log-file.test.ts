import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { assertOwnLog } from '../../../src/database/drivers/sqlite/foreign-log.ts';
import { summarizeLog } from '../../../src/database/drivers/sqlite/log-file.ts';
import { temporaryFolder, thrownBy } from '../../support/temporary.ts';

const HEADER = 32;
const FRAME = 24;

/** A database of this page size in WAL mode, whose log is never moved by itself. */
function openRaw(pageSize = 4096, path = join(temporaryFolder(), 'raw.db')): Database.Database {
  const raw = new Database(path);
  raw.pragma(`page_size = ${pageSize}`);
  raw.pragma('journal_mode = WAL');
  raw.pragma('wal_autocheckpoint = 0');
  raw.exec('CREATE TABLE IF NOT EXISTS notes (text)');
  onTestFinished(() => {
    raw.close();
  });
  return raw;
}

const add = (raw: Database.Database, bytes = 10): unknown =>
  raw.prepare('INSERT INTO notes VALUES (?)').run('x'.repeat(bytes));

/** Copies a database with its log, as a crash leaves them. */
function crash(raw: Database.Database): string {
  const path = join(temporaryFolder(), 'crashed.db');
  for (const suffix of ['', '-wal']) copyFileSync(raw.name + suffix, path + suffix);
  return path;
}

/** Gives a log with pages of 512 bytes the checksums that it has now: https://www.sqlite.org/walformat.html#checksum_algorithm */
function sumAgain(bytes: Buffer, isBig: boolean): void {
  bytes.writeUInt32BE(isBig ? 0x377f0683 : 0x377f0682, 0);
  let [first, second] = [0, 0];
  const sum = (from: number, to: number): void => {
    for (let at = from; at < to; at += 8) {
      const [one, two] = [at, at + 4].map((place) =>
        isBig ? bytes.readUInt32BE(place) : bytes.readUInt32LE(place),
      ) as [number, number];
      first = (first + one + second) >>> 0;
      second = (second + two + first) >>> 0;
    }
  };
  const write = (at: number): void => {
    bytes.writeUInt32BE(first, at);
    bytes.writeUInt32BE(second, at + 4);
  };
  sum(0, 24);
  write(24);
  for (let at = HEADER; at < bytes.length; at += FRAME + 512) {
    sum(at, at + 8);
    sum(at + FRAME, at + FRAME + 512);
    write(at + 16);
  }
}

const pageCount = (raw: Database.Database): unknown => raw.pragma('page_count', { simple: true });

describe('a log', () => {
  it.each([512, 1024, 4096, 65_536])('is read to its end, with pages of %i bytes', (pageSize) => {
    const raw = openRaw(pageSize);
    for (let n = 0; n < 5; n++) add(raw, 3 * pageSize);
    const log = summarizeLog(`${raw.name}-wal`);
    expect(log).toMatchObject({ pageSize, pageCount: pageCount(raw), complete: true });
    expect(log?.firstPage?.headers.size).toBeGreaterThan(0);
  });

  it('ends with its last whole transaction', () => {
    const raw = openRaw();
    const before = summarizeLog(`${raw.name}-wal`);
    const bytes = readFileSync(`${raw.name}-wal`).length;
    add(raw, 100_000);
    const after = summarizeLog(`${raw.name}-wal`);
    expect(Number(after?.pageCount)).toBeGreaterThan(Number(before?.pageCount));
    const path = `${crash(raw)}-wal`;
    // Power was lost in the middle of the second transaction, after so many frames of it.
    for (const frames of [20, 3, 1, 0]) {
      truncateSync(path, bytes + frames * (FRAME + 4096));
      expect(summarizeLog(path)).toMatchObject({ pageCount: before?.pageCount, complete: true });
    }
    truncateSync(path, HEADER - 1);
    expect(summarizeLog(path)).toBeNull();
    expect(summarizeLog(join(temporaryFolder(), 'absent'))).toBeNull();
  });

  it('ends before what is damaged, and is ignored if its beginning is damaged', () => {
    const raw = openRaw();
    const before = summarizeLog(`${raw.name}-wal`);
    const end = readFileSync(`${raw.name}-wal`).length;
    add(raw, 20_000);
    const path = `${crash(raw)}-wal`;
    const bytes = readFileSync(path);
    for (const [at, expected] of [
      // In the frame's page, in its checksum, and in its page number.
      [end + FRAME + 7, { pageCount: before?.pageCount }],
      [end + 17, { pageCount: before?.pageCount }],
      [end + 2, { pageCount: before?.pageCount }],
      // In the header's magic, page size, salt and checksum.
      [0, null],
      [10, null],
      [17, null],
      [30, null],
    ] as const) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(path, damaged);
      if (expected === null) expect(summarizeLog(path), `at ${at}`).toBeNull();
      else expect(summarizeLog(path), `at ${at}`).toMatchObject(expected);
    }
  });

  it('that was begun again does not have what is left of the one before it', () => {
    const raw = openRaw();
    for (let n = 0; n < 20; n++) add(raw, 20_000);
    const first = summarizeLog(`${raw.name}-wal`);
    raw.pragma('wal_checkpoint(FULL)');
    raw.exec('DELETE FROM notes WHERE rowid > 1; VACUUM');
    raw.pragma('wal_checkpoint(RESTART)');
    add(raw);
    const second = summarizeLog(`${raw.name}-wal`);
    expect(second?.id).not.toBe(first?.id);
    expect(second).toMatchObject({ pageCount: pageCount(raw), complete: true });
    expect(Number(second?.pageCount)).toBeLessThan(Number(first?.pageCount));
  });

  it('of a thousand pages is whole, and a longer one is judged by its beginning', () => {
    const raw = openRaw(512);
    const lengthOf = (): number => (readFileSync(`${raw.name}-wal`).length - HEADER) / (FRAME + 512);
    while (lengthOf() < 900) add(raw, 400);
    expect(summarizeLog(`${raw.name}-wal`)).toMatchObject({ complete: true, pageCount: pageCount(raw) });
    while (lengthOf() <= 1010) add(raw, 400);
    expect(summarizeLog(`${raw.name}-wal`)).toMatchObject({ complete: false });
  });

  it('may have the checksums of a machine with the other byte order', () => {
    const raw = openRaw(512);
    add(raw);
    const path = `${crash(raw)}-wal`;
    const bytes = readFileSync(path);
    sumAgain(bytes, bytes.readUInt32BE(0) !== 0x377f0683);
    writeFileSync(path, bytes);
    expect(summarizeLog(path)).toMatchObject({ pageSize: 512, pageCount: pageCount(raw), complete: true });
  });

  it('with pages of a size that SQLite does not have is ignored, although its checksums are right', () => {
    const raw = openRaw(512);
    add(raw);
    const path = `${crash(raw)}-wal`;
    for (const [pageSize, isLog] of [
      [512, true],
      [256, false],
      [131_072, false],
    ] as const) {
      const bytes = readFileSync(path);
      bytes.writeUInt32BE(pageSize, 8);
      sumAgain(bytes, true);
      writeFileSync(path, bytes);
      expect(summarizeLog(path) !== null, `${pageSize}`).toBe(isLog);
    }
  });
});

/** What a crash leaves of a database that has done this since its log was emptied; `write` changes the file's header. */
function crashedAfter(work: (raw: Database.Database) => unknown): {
  path: string;
  log: ReturnType<typeof summarizeLog>;
  write: (at: number, value: number) => void;
} {
  const raw = openRaw();
  add(raw);
  raw.pragma('wal_checkpoint(TRUNCATE)');
  work(raw);
  const path = crash(raw);
  const bytes = readFileSync(path);
  const write = (at: number, value: number): void => {
    const changed = Buffer.from(bytes);
    changed.writeUInt32BE(value, at);
    writeFileSync(path, changed);
  };
  return { path, write, log: summarizeLog(`${path}-wal`) };
}

describe('the log of a crashed database', () => {
  it.each([512, 4096, 65_536])('is its own, and not that of another one (%i bytes a page)', (pageSize) => {
    const raw = openRaw(pageSize);
    for (let n = 0; n < 3; n++) add(raw, 2 * pageSize);
    raw.pragma('wal_checkpoint(TRUNCATE)');
    for (let n = 0; n < 3; n++) {
      add(raw, 2 * pageSize);
      assertOwnLog(crash(raw));
    }
    const other = openRaw(pageSize === 512 ? 1024 : 512);
    for (let n = 0; n < 9; n++) add(other, 5000);
    const path = crash(raw);
    other.pragma('wal_checkpoint(TRUNCATE)');
    copyFileSync(other.name, path);
    expect(thrownBy(() => assertOwnLog(path))).toMatchObject({
      code: 'CORRUPT',
      details: { path, log: `${path}-wal` },
    });
  });

  it('without the first page is not that of a file of another size', () => {
    const { path, write, log } = crashedAfter((raw) => raw.exec('UPDATE notes SET text = upper(text)'));
    expect(log?.firstPage).toBeNull();
    assertOwnLog(path);
    for (const difference of [-1, 1]) {
      write(28, Number(log?.pageCount) + difference);
      expect(thrownBy(() => assertOwnLog(path))).toMatchObject({ code: 'CORRUPT' });
    }
  });

  it('with the first page is not that of a file that was changed more often, or less', () => {
    const { path, write, log } = crashedAfter((raw) => raw.exec('CREATE TABLE more (x)'));
    const counter = Number(log?.firstPage?.counter);
    for (const [difference, isOwn] of [
      [0, true],
      [-1, true],
      [-2, false],
      [1, false],
    ] as const) {
      write(24, counter + difference);
      if (isOwn) assertOwnLog(path);
      else
        expect(
          thrownBy(() => assertOwnLog(path)),
          `${difference}`,
        ).toMatchObject({ code: 'CORRUPT' });
    }
  });

  it('is its own also when a checkpoint has moved it into the file, and it was not begun again', () => {
    const { path } = crashedAfter((raw) => {
      for (let n = 0; n < 5; n++) raw.exec(`CREATE TABLE more${n} (x)`);
      raw.pragma('wal_checkpoint(PASSIVE)');
    });
    assertOwnLog(path);
  });

  it('is judged by its beginning if it is long: it may be older than the file, and not two changes newer', () => {
    const { path, write, log } = crashedAfter((raw) => {
      raw.exec('CREATE TABLE more (x)');
      add(raw, 1100 * 4096);
    });
    expect(log?.complete).toBe(false);
    const counter = Number(log?.firstPage?.counter);
    for (const [difference, isOwn] of [
      [9, true],
      [1, true],
      [0, true],
      [-1, true],
      [-2, false],
    ] as const) {
      write(24, counter + difference);
      const judge = (): void => assertOwnLog(path);
      if (isOwn) judge();
      else expect(thrownBy(judge)).toMatchObject({ code: 'CORRUPT' });
    }
  });

  it('is not that of a backup, which is in rollback mode', () => {
    const raw = openRaw();
    add(raw);
    const path = crash(raw);
    const bytes = readFileSync(path);
    for (const at of [18, 19]) {
      const rollback = Buffer.from(bytes);
      rollback[at] = 1;
      writeFileSync(path, rollback);
      expect(
        thrownBy(() => assertOwnLog(path)),
        `byte ${at}`,
      ).toMatchObject({ code: 'CORRUPT' });
    }
  });

  it('is left to SQLite, which says what is wrong, if the file cannot be read', () => {
    const raw = openRaw();
    add(raw);
    const path = temporaryFolder();
    copyFileSync(`${raw.name}-wal`, `${path}-wal`);
    onTestFinished(() => rmSync(`${path}-wal`));
    assertOwnLog(path);
  });

  it('is left to SQLite while a rollback journal may repair the file', () => {
    const path = join(temporaryFolder(), 'raw.db');
    writeFileSync(path, 'no database');
    writeFileSync(`${path}-wal`, 'a log');
    expect(thrownBy(() => assertOwnLog(path))).toMatchObject({ code: 'NOT_A_DATABASE' });
    writeFileSync(`${path}-journal`, 'no journal');
    expect(thrownBy(() => assertOwnLog(path))).toMatchObject({ code: 'NOT_A_DATABASE' });
    writeFileSync(`${path}-journal`, Buffer.from('d9d505f920a163d70000', 'hex'));
    assertOwnLog(path);
    writeFileSync(path, '');
    assertOwnLog(path);
    truncateSync(`${path}-journal`, 0);
    expect(thrownBy(() => assertOwnLog(path))).toMatchObject({ code: 'NOT_A_DATABASE' });
    truncateSync(`${path}-wal`, 0);
    assertOwnLog(path);
  });
});
