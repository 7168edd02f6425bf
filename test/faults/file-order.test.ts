import { expect, it, vi } from 'vitest';
import { problemsOf } from '../support/durable-order.ts';
import { lineOf, record } from '../support/file-calls.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { KEY_FILES, namesIn, OTHER_FILES, POOLS } from './file-operations/index.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

// Windows has no sync of folders and needs none.
it.skipIf(process.platform === 'win32').each([...KEY_FILES, ...OTHER_FILES, ...POOLS])(
  'a power cut loses nothing when it has returned, nor in the middle: $name',
  async ({ prepare }) => {
    const folder = temporaryFolder();
    const { run, leaves } = await prepare(folder);
    const calls = await record(folder, run);
    expect(calls.length).toBeGreaterThan(2);
    expect(problemsOf(calls), calls.map(lineOf).join('\n')).toEqual([]);
    expect(namesIn(folder)).toEqual(leaves);
  },
);
