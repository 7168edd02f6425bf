import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

const FIRST_KEY = fileURLToPath(new URL('../../fixtures/first-key.mjs', import.meta.url));

/** Starts first-key.mjs; gives what asks it one thing after another. If it ends, the answer is what it said of that. */
function startAsking(): (question: object) => Promise<string> {
  const child = spawn(process.execPath, [FIRST_KEY], { stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value } = await answers.next();
    return `${value ?? ''}${errors}`;
  };
}

/** Does `work` just after statement number `nth`; gives what ends the counting and says whether there were so many. */
function afterStatement(db: DatabaseManager, nth: number, work: () => void): () => boolean {
  const { driver } = db;
  let count = 0;
  for (const name of ['first', 'one', 'all', 'run'] as const) {
    const original = driver[name].bind(driver) as (...args: unknown[]) => unknown;
    Object.defineProperty(driver, name, {
      value: (...args: unknown[]) => {
        const result = original(...args);
        if (++count === nth) work();
        return result;
      },
    });
  }
  return () => {
    const isReached = count >= nth;
    count = Number.POSITIVE_INFINITY;
    return isReached;
  };
}

function createWithLogin(db: DatabaseManager, service: EncryptionService, port = 1): void {
  const credentials = { username: 'u', password: 'p' };
  new ProxyRepository(db, service).create({ host: 'h.example', port, protocol: 'http', credentials });
}

/** As another process: makes the first key; says how many credentials it stored, none while the pool is locked. */
function storeElsewhere(path: string, keyFile: string): number {
  using db = initDatabase({ path, busyTimeoutMs: 0 });
  try {
    createWithLogin(db, new EncryptionService({ keyFile, database: db }), 2);
    return 1;
  } catch (error) {
    expect(error).toMatchObject({ code: 'BUSY' });
    return 0;
  }
}

describe('the first key', () => {
  it.each(['open', 'store', 'status and verify'] as const)(
    'that another process makes between any two statements is the key of both (%s)',
    async (what) => {
      for (let nth = 1, isReached = true; isReached; nth++) {
        const folder = temporaryFolder();
        const keyFile = join(folder, 'key');
        const db = openMigrated({ path: join(folder, 'pool.db') });
        let others = 0;
        const endCounting = afterStatement(db, nth, () => {
          others = storeElsewhere(db.path, keyFile);
        });
        const service =
          what === 'open'
            ? await EncryptionService.open({ keyFile, database: db })
            : new EncryptionService({ keyFile, database: db });
        if (what === 'store') createWithLogin(db, service);
        if (what === 'status and verify') {
          const { keys, problem } = service.status();
          expect([nth, problem, ...keys.map((key) => key.problem)]).toEqual([
            nth,
            null,
            ...keys.map(() => null),
          ]);
          if (existsSync(keyFile)) await service.verify();
        }
        isReached = endCounting();
        const stored = others + (what === 'store' ? 1 : 0);
        if (stored > 0)
          expect([nth, await service.verify()]).toMatchObject([nth, { ok: true, checked: stored }]);
      }
    },
  );

  it.each([
    { processes: 8, rounds: 20, passphrase: undefined },
    { processes: 4, rounds: 1, passphrase: 'correct horse battery staple' },
  ])(
    'is one, as the key file is, whichever of $processes processes that begin at once made them (passphrase: $passphrase)',
    async ({ processes, rounds, passphrase }) => {
      const children = Array.from({ length: processes }, startAsking);
      for (let round = 0; round < rounds; round++) {
        const folder = temporaryFolder();
        const question = {
          keyFile: join(folder, 'config', 'key'),
          path: join(folder, 'pool.db'),
          passphrase,
        };
        const [first = '', ...others] = await Promise.all(children.map((ask) => ask(question)));
        expect(first).toMatch(/^([\da-f]{16}) [\da-f]{16}<\1$/);
        expect(others).toEqual(others.map(() => first));
        expect(readdirSync(join(folder, 'config'))).toEqual(['key']);
      }
    },
    180_000,
  );
});
