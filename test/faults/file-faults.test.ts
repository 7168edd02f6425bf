/**
 * Faults of the disk at each call of `node:fs` that an operation (file-operations/) makes, one at a time. It succeeds, or
 * throws a typed error that fits; what was there is whole; no secret is in the error; nothing temporary stays, but what the
 * fault itself kept from being removed; and the operation succeeds when it is tried again.
 */
import { readdirSync, rmSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Answer, failing } from '../support/file-calls.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type FileOperation, KEY_FILES, namesIn, OTHER_FILES, POOLS } from './file-operations/index.ts';
import { FITTING, judge } from './fitting.ts';
import { SCRATCH } from './scratch.ts';

type Errno = keyof typeof FITTING & Answer;

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

/** What the system may say to each call; one of them is tried at each place, in turn. */
const ANSWERS: Record<string, readonly Errno[]> = {
  open: ['EMFILE', 'ENOSPC', 'EACCES', 'EROFS', 'EIO'],
  mkdir: ['ENOSPC', 'EACCES', 'EROFS', 'EIO'],
  write: ['ENOSPC', 'EIO', 'EDQUOT'],
  writeFile: ['ENOSPC', 'EIO', 'EDQUOT'],
  copyFile: ['ENOSPC', 'EIO', 'EACCES'],
  rename: ['EIO', 'EACCES', 'ENOSPC', 'EROFS'],
  link: ['EIO', 'ENOSPC', 'EACCES'],
  rm: ['EIO', 'EACCES', 'EROFS'],
  access: ['EACCES', 'EROFS'],
};
/** These change nothing by themselves. What has failed at one of them and left nothing is not tried again, which takes long. */
const LOOKS = 'stat lstat fstat exists realpath access readdir readFile fsync close'.split(' ');
const OTHERWISE = ['EIO', 'EACCES'] as const;

/** The calls to try: of each place in the source, the first one that it makes. */
async function numbersOf({ prepare, only = /./ }: FileOperation): Promise<number[]> {
  const folder = temporaryFolder(SCRATCH);
  const { run } = await prepare(folder);
  const numbers = new Map<string, number>();
  const note = (_: string, number: number): null => {
    const places = new Error('here').stack?.split('\n').filter((line) => line.includes('/src/')) ?? [];
    const place = places.slice(0, 2).join();
    if (only.test(String(places)) && !numbers.has(place)) numbers.set(place, number);
    return null;
  };
  await failing(folder, note, run);
  return [...numbers.values()];
}

/** Tries an operation with its `nth` call failing. Gives what was wrong, or null. */
async function tryFault({ prepare }: FileOperation, nth: number): Promise<string | null> {
  const folder = temporaryFolder(SCRATCH);
  const { run, assertIntact, ...rest } = await prepare(folder);
  let failed = '';
  let errno: Errno = 'EIO';
  const { secrets, leaves, mayThrow, mayLeave = [], runAgain = run, assertDone = () => undefined } = rest;
  const thrown = await failing(
    folder,
    (call, number) => {
      if (number !== nth) return null;
      failed = call;
      const answers = ANSWERS[call] ?? OTHERWISE;
      errno = answers[nth % answers.length] ?? 'EIO';
      return errno;
    },
    run,
  );
  const problem = await problemAfter();
  rmSync(folder, { recursive: true });
  return problem && `call ${nth}, ${failed} ${errno}: ${problem}`;

  async function problemAfter(): Promise<string | null> {
    const wrong = judge(thrown, mayThrow ? [...FITTING[errno], mayThrow] : FITTING[errno]);
    if (wrong !== null) return wrong;
    const shown = inspect(thrown, { depth: 9 });
    if (secrets.some((secret) => shown.includes(secret))) return 'the error shows a secret';
    const left = temporaryIn(folder);
    // Only what could not be removed, and a lock that the next try breaks.
    const files = left.filter((name) => !name.endsWith('.lock'));
    if (files.length > (failed === 'rm' ? 1 : 0)) return `it leaves ${files.join(', ')}`;
    try {
      await assertIntact();
    } catch (error) {
      return `it is not as before: ${inspect(error)}`;
    }
    if (left.length === 0 && (thrown === null || LOOKS.includes(failed))) return null;
    const again = await Promise.resolve()
      .then(runAgain)
      .then(
        () => null,
        (error: unknown) => `it fails again: ${inspect(error)}`,
      );
    if (again !== null) return again;
    try {
      await assertIntact();
      assertDone();
    } catch (error) {
      return `it is not whole when it was tried again: ${inspect(error)}`;
    }
    const names = namesIn(folder).filter((name) => ![...files, ...mayLeave].includes(name));
    return inspect(names) === inspect(leaves) ? null : `it leaves ${names.join(', ')}`;
  }
}

const temporaryIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:tmp|partial|lock|probe)\b|^proxyvault-import-/.test(name),
  );

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([...KEY_FILES, ...OTHER_FILES, ...POOLS])('$name', (operation) => {
  it('survives a fault of the disk at every call', async () => {
    const problems: string[] = [];
    const numbers = await numbersOf(operation);
    for (const nth of numbers) {
      const problem = await tryFault(operation, nth);
      if (problem !== null) problems.push(problem);
    }
    expect(problems).toEqual([]);
  });
});
