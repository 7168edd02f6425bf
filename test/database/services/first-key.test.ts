import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../support/temporary.ts';

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

describe('the first key', () => {
  it.each([
    { processes: 8, rounds: 8, passphrase: undefined },
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
