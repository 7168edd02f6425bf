import { ftruncateSync, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Spool } from '../../src/files/spool.ts';
import { failing, lineOf, record } from '../support/file-calls.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

afterEach(() => {
  vi.unstubAllEnvs();
});

/** The folder for temporary files, empty. */
function emptyTmpdir(): string {
  const folder = temporaryFolder();
  vi.stubEnv('TMPDIR', folder);
  return folder;
}

function filled(count: number, textOf = (n: number): string => `value ${n}`): Spool<string> {
  const spool = new Spool<string>();
  for (let n = 0; n < count; n++) spool.push(textOf(n));
  return spool;
}

describe('a spool', () => {
  it.each([0, 1, 999, 1000, 1001, 2500])(
    'gives back %i values in order, as often as it is asked',
    (count) => {
      using spool = filled(count);
      const values = Array.from({ length: count }, (_, n) => `value ${n}`);
      expect(spool.count).toBe(count);
      expect([...spool.read()]).toEqual(values);
      expect([...spool.read()]).toEqual(values);
    },
  );

  it('that was disposed of cannot be read', () => {
    emptyTmpdir();
    const spool = filled(1000);
    spool[Symbol.dispose]();
    expect(() => [...spool.read()]).toThrow(RangeError);
  });

  it('keeps a few values in memory alone', async () => {
    expect(await record(emptyTmpdir(), () => filled(999))).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')(
    'writes to a new private file that has lost its name before, and leaves nothing',
    async () => {
      const folder = emptyTmpdir();
      const calls = await record(folder, () => {
        using spool = filled(2000);
        expect(readdirSync(folder)).toEqual([]);
        expect([...spool.read()]).toHaveLength(2000);
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

  it('encrypts each batch in another way, although their content is the same', async () => {
    const calls = await record(emptyTmpdir(), () => {
      using _ = filled(2000, () => 'canary');
    });
    const [one, two] = calls.flatMap(({ data }) => data ?? []);
    const length = JSON.stringify(Array(1000).fill('canary')).length;
    for (const batch of [one, two]) {
      // An IV of 96 bits and a tag of 128 go before the ciphertext.
      expect(batch?.length).toBe(12 + 16 + length);
      expect(batch?.includes('canary')).toBe(false);
    }
    expect(one?.subarray(0, 12)).not.toEqual(two?.subarray(0, 12));
    expect(one?.subarray(28, 60)).not.toEqual(two?.subarray(28, 60));
  });

  it('reads and writes on where the system does only a part at a time', async () => {
    const folder = emptyTmpdir();
    const parts = (call: string, number: number): 'short' | null =>
      /read|write/.test(call) && number % 3 !== 0 ? 'short' : null;
    let values: string[] = [];
    const work = (): void => {
      using spool = filled(1500);
      values = [...spool.read()];
    };
    expect(await failing(folder, parts, work)).toBeNull();
    expect(values).toEqual(Array.from({ length: 1500 }, (_, n) => `value ${n}`));
  });

  it.runIf(process.platform === 'linux')(
    'that was changed or cut short on the disk is a typed error (Linux: its file has no name)',
    () => {
      const folder = emptyTmpdir();
      const open = (): number => {
        const file = readdirSync('/proc/self/fd').find((name) => linkOf(name).startsWith(folder));
        return openSync(`/proc/self/fd/${file}`, 'r+');
      };
      for (const [damage, message] of [
        [(file: number) => writeSync(file, Buffer.from('x'), 0, 1, 100), 'was changed'],
        [(file: number) => ftruncateSync(file, 500), 'was cut short'],
      ] as const) {
        using spool = filled(1000);
        damage(open());
        expect(thrownBy(() => [...spool.read()])).toMatchObject({
          code: 'IO',
          message: expect.stringContaining(message),
        });
      }
    },
  );
});

function linkOf(name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    return '';
  }
}
