import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it, vi } from 'vitest';
import { openDatabase } from '../support/temporary.ts';

const MIB = 1024 * 1024;

function openPages(): { db: DatabaseManager; write: (megabytes: number) => void; logBytes: () => number } {
  const db = openDatabase({ durability: 'normal' });
  db.driver.exec('CREATE TABLE pages (n INTEGER PRIMARY KEY, data BLOB)');
  // The same rows each time, so that the file stays small and only the log can grow.
  const write = (megabytes: number): void => {
    for (let n = 0; n < megabytes * 4; n++)
      db.driver.run('INSERT OR REPLACE INTO pages VALUES (:n, randomblob(260000))', { n: n % 8 });
  };
  return { db, write, logBytes: () => statSync(`${db.path}-wal`).size };
}

/** Readers in another thread that follow each other, each beginning before the last one ends, until told to stop. */
async function startReaders(path: string): Promise<() => Promise<void>> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const Database = require(workerData.engine);
    const readers = [0, 1].map(() => new Database(workerData.path, { readonly: true }));
    const begin = (reader) => { reader.exec('BEGIN'); reader.prepare('SELECT count(*) FROM pages').get(); };
    let n = 0;
    begin(readers[0]);
    const timer = setInterval(() => {
      begin(readers[++n % 2]);
      readers[(n + 1) % 2].exec('COMMIT');
    }, 5);
    parentPort.once('message', () => {
      clearInterval(timer);
      for (const reader of readers) reader.close();
    });
    parentPort.postMessage('reading');`;
  const engine = createRequire(import.meta.url).resolve('better-sqlite3');
  const worker = new Worker(source, { eval: true, workerData: { path, engine } });
  await once(worker, 'message');
  return async () => {
    worker.postMessage('stop');
    await once(worker, 'exit');
  };
}

describe('the write-ahead log', () => {
  it('stays bounded under short readers that follow each other without a gap', async () => {
    const { db, write, logBytes } = openPages();
    const stop = await startReaders(db.path);
    let most = 0;
    for (let round = 0; round < 25; round++) {
      write(4);
      most = Math.max(most, logBytes());
    }
    await stop();
    expect(most).toBeLessThan(64 * MIB);
  });

  it('is warned of, once, while a reader keeps it from being emptied, and shrinks when that one ends', async () => {
    const { db, write, logBytes } = openPages();
    write(1);
    const warnings: (Error & { code?: string })[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    const stream = db.driver.iterate('SELECT n FROM pages', {}, (row) => row.n);
    stream.next();
    write(70);
    // The next try to empty the log is due.
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 300);
    write(10);
    clock.mockRestore();
    await nextTurn();
    process.off('warning', hear);
    const own = warnings.filter(({ code }) => code === 'PROXYVAULT_LOG_GROWING');
    expect(own).toHaveLength(1);
    expect(own[0]?.message).toMatch(/has grown to \d+ MiB.*leave iterate\(\) loops/);
    expect((await db.stats()).walBytes).toBeGreaterThan(64 * MIB);
    stream.return?.();
    expect(db.checkpoint().complete).toBe(true);
    expect(logBytes()).toBe(0);
  });
});
