import { closeSync, ftruncateSync, openSync, readdirSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Spool } from '../../src/files/spool.ts';
import { failing, lineOf, record } from '../support/file-calls.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

const BATCH = 1000;
/** Before the ciphertext of a batch: an IV of 96 bits and a tag of 128. */
const [IV, HEADER] = [12, 12 + 16];

afterEach(() => {
  vi.unstubAllEnvs();
});

/** The folder for temporary files, empty. */
function emptyTmpdir(): string {
  const folder = temporaryFolder();
  vi.stubEnv('TMPDIR', folder);
  return folder;
}

function filled(count: number, textOf = (n: number): string => `value ${n} 🔑`): Spool<string> {
  const spool = new Spool<string>();
  for (let n = 0; n < count; n++) spool.push(textOf(n));
  return spool;
}

/** The descriptors of the files in a folder that this process has open. */
function openIn(folder: string): string[] {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false;
    }
  });
}

describe('a spool', () => {
  it.each([0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH, 3 * BATCH + 7])(
    'gives back %i values in order, as often as it is asked, and those that come later too',
    (count) => {
      using spool = filled(count);
      const values = Array.from({ length: count }, (_, n) => `value ${n} 🔑`);
      expect(spool.count).toBe(count);
      for (let times = 0; times < 2; times++) expect([...spool.read()]).toEqual(values);
      spool.push('one more');
      expect([...spool.read()]).toEqual([...values, 'one more']);
      expect(spool.count).toBe(count + 1);
    },
  );

  it('that was disposed of cannot be read', () => {
    emptyTmpdir();
    const spool = filled(1000);
    spool[Symbol.dispose]();
    expect(() => [...spool.read()]).toThrow(RangeError);
  });

  it('keeps a few values in memory alone', async () => {
    expect(await record(emptyTmpdir(), () => filled(BATCH - 1))).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')(
    'writes to a new private file that has lost its name before, and leaves nothing',
    async () => {
      const folder = emptyTmpdir();
      const calls = await record(folder, () => {
        const spool = filled(2 * BATCH);
        expect(readdirSync(folder)).toEqual([]);
        expect([...spool.read()]).toHaveLength(2 * BATCH);
        // The second time there is nothing to let go of.
        for (let times = 0; times < 2; times++) spool[Symbol.dispose]();
      });
      const lines = calls.map((call) => lineOf(call).replaceAll(/import-\w+/g, 'import-X'));
      expect(lines.filter((line) => !line.startsWith('read'))).toEqual([
        'mkdtemp proxyvault-import-',
        'open proxyvault-import-X/spool wx+ 600',
        'unlink proxyvault-import-X/spool',
        'rmdir proxyvault-import-X',
        'write proxyvault-import-X/spool',
        'write proxyvault-import-X/spool',
        'close proxyvault-import-X/spool',
      ]);
    },
  );

  it('encrypts each batch in another way, although their content is the same, and so does each spool', async () => {
    const calls = await record(emptyTmpdir(), () => {
      for (let times = 0; times < 2; times++) {
        using _ = filled(2 * BATCH, () => 'canary');
      }
    });
    const batches = calls.flatMap(({ data }) => data ?? []);
    const length = JSON.stringify(Array(BATCH).fill('canary')).length;
    expect(batches.map((batch) => batch.length)).toEqual(Array(4).fill(HEADER + length));
    for (const batch of batches) expect(batch.includes('canary')).toBe(false);
    // Equal values under one key and IV would differ by the tag alone, or not at all.
    for (const [from, to] of [
      [0, IV],
      [HEADER, HEADER + 32],
    ] as const)
      expect(new Set(batches.map((batch) => batch.toString('hex', from, to))).size).toBe(4);
  });

  it('reads and writes on where the system does only a part at a time', async () => {
    const folder = emptyTmpdir();
    const parts = (call: string, number: number): 'short' | null =>
      /read|write/.test(call) && number % 3 !== 0 ? 'short' : null;
    let values: string[] = [];
    const work = (): void => {
      using spool = filled(BATCH + 500);
      values = [...spool.read()];
    };
    expect(await failing(folder, parts, work)).toBeNull();
    expect(values).toEqual(Array.from({ length: BATCH + 500 }, (_, n) => `value ${n} 🔑`));
  });

  it('that cannot be let go of fails nothing, and hides no error', async () => {
    const folder = emptyTmpdir();
    const onClose = (call: string): 'EIO' | null => (call === 'close' ? 'EIO' : null);
    const use = (work: () => void): void => {
      using _ = filled(BATCH);
      work();
    };
    expect(await failing(folder, onClose, () => use(() => undefined))).toBeNull();
    const fail = (): never => {
      throw new Error('the disk is full');
    };
    expect(await failing(folder, onClose, () => use(fail))).toMatchObject({ message: 'the disk is full' });
  });

  it.runIf(process.platform === 'linux')(
    'that was changed or cut short on the disk is a typed error (Linux: its file has no name)',
    () => {
      const folder = emptyTmpdir();
      const flip = (file: number, at: number): void => {
        const byte = Buffer.alloc(1);
        readSync(file, byte, 0, 1, at);
        writeSync(file, Buffer.from([byte.readUInt8() ^ 1]), 0, 1, at);
      };
      for (const [damage, message] of [
        ...[0, IV, HEADER, 5000].map(
          (at) => [(file: number): void => flip(file, at), 'was changed'] as const,
        ),
        [(file: number): void => ftruncateSync(file, 500), 'was cut short'] as const,
      ]) {
        using spool = filled(BATCH);
        const file = openSync(`/proc/self/fd/${openIn(folder)[0]}`, 'r+');
        damage(file);
        closeSync(file);
        expect(thrownBy(() => [...spool.read()])).toMatchObject({
          code: 'IO',
          message: expect.stringContaining(message),
        });
      }
    },
  );
});
