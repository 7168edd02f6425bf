import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import type {
  BackgroundReads,
  CheckpointResult,
  Damage,
  Engine,
  Row,
  SchemaObject,
  Session,
  Sizes,
  Steps,
} from 'proxyvault/driver';
import { onTestFinished } from 'vitest';
import { BeforeClose } from '../../src/database/drivers/before-close.ts';
import { AsyncDriver, type AsyncOptions } from './async-driver.ts';
import { temporaryFolder } from './temporary.ts';

/** The file of `db` through an engine that answers with promises, as one over a network will. */
export function asyncSession(
  db: DatabaseManager,
  options: AsyncOptions = {},
): Session<'async'> & { engine: AsyncEngine } {
  const engine = new AsyncEngine(db.path, options);
  onTestFinished(() => engine.close());
  const { clock, onInvalidRow, assertMayHoldCredentials } = db;
  return { driver: engine.driver, engine, clock, onInvalidRow, assertMayHoldCredentials };
}

/** {@link Engine} over a file of SQLite, with a connection for each transaction. */
export class AsyncEngine implements Engine<'async'> {
  readonly driver: AsyncDriver;
  readonly background: BackgroundReads;
  readonly #beforeClose = new BeforeClose<'async'>();

  constructor(path: string, options: AsyncOptions = {}) {
    if (path === ':memory:') throw new Error('A database in memory has one connection: use a file.');
    this.driver = new AsyncDriver(path, options);
    this.background = this.driver.shared.background;
  }

  version(): Promise<number> {
    return this.driver.version();
  }

  script(sql: string): Promise<void> {
    return this.driver.statement(sql, (engine) => engine.script(sql));
  }

  objects(): Promise<SchemaObject[]> {
    return this.driver.statement('', (engine) => engine.objects());
  }

  columnsOf(table: string): Promise<string[]> {
    return this.driver.statement('', (engine) => engine.columnsOf(table));
  }

  /** A transaction sees one state from its first read on, and one that only reads is in nobody's way. */
  snapshot<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.transaction(steps);
  }

  changeSchema<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.changeSchema(steps);
  }

  async tryOut<T>(steps: (engine: Engine<'async'>) => Steps<'async', T>): Promise<T> {
    const folder = temporaryFolder();
    const engine = new AsyncEngine(join(folder, 'empty.db'));
    try {
      return await engine.driver.sequence(() => steps(engine));
    } finally {
      await engine.close();
      rmSync(folder, { recursive: true });
    }
  }

  checkpoint(): Promise<CheckpointResult> {
    return this.driver.statement('', (engine) => engine.checkpoint());
  }

  sizes(): Promise<Sizes> {
    return this.driver.statement('', (engine) => engine.sizes());
  }

  findDamage(deep: boolean): Promise<Damage> {
    return this.driver.shared.findDamage(deep);
  }

  eachRow(table: string, use: (row: Row) => void): Promise<void> {
    return this.driver.shared.eachRow(table, use);
  }

  beforeClose(work: () => Promise<void>): () => void {
    this.driver.shared.driver.assertOpen();
    return this.#beforeClose.add(work);
  }

  /** Statements of transactions that are open find it closed, and nothing of these transactions is stored. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const work of this.#beforeClose.take()) await work().catch((error) => failures.push(error));
    this.driver.close();
    if (failures.length > 0) throw failures[0];
  }
}
