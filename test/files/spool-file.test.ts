import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Spool } from '../../src/files/spool.ts';
import { thrownBy } from '../support/temporary.ts';

const BATCH = 1000;

/** The temporary files that this process has open, by descriptor. */
function openFiles(): { descriptor: number; path: string }[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${name}`);
      return path.includes('proxyvault-import-') ? [{ descriptor: Number(name), path }] : [];
    } catch {
      return [];
    }
  });
}

const filled = (count: number): Spool<string> => {
  const spool = new Spool<string>();
  for (let n = 0; n < count; n++) spool.push(`value ${n} 🔑`);
  return spool;
};

it.each([0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH, 3 * BATCH + 7])(
  'gives back %i values in order, again and again',
  (count) => {
    using spool = filled(count);
    expect(spool.count).toBe(count);
    const values = Array.from({ length: count }, (_, n) => `value ${n} 🔑`);
    for (let times = 0; times < 2; times++) expect([...spool.read()]).toEqual(values);
    spool.push('one more');
    expect([...spool.read()].slice(-2)).toEqual([...values, 'one more'].slice(-2));
    expect(spool.count).toBe(count + 1);
  },
);

describe.runIf(process.platform === 'linux')('the temporary file', () => {
  it('is there from the first full batch until the spool is disposed of, without a name', () => {
    const spool = filled(BATCH - 1);
    expect(openFiles()).toEqual([]);
    spool.push('x');
    const [file, ...others] = openFiles();
    expect(others).toEqual([]);
    expect(file?.path).toMatch(/ \(deleted\)$/);
    const { mode, nlink } = fstatSync(file?.descriptor ?? -1);
    expect([mode & 0o777, nlink]).toEqual([0o600, 0]);
    spool[Symbol.dispose]();
    expect(openFiles()).toEqual([]);
    spool[Symbol.dispose]();
  });

  it('is new ciphertext for each batch and each spool, even of equal values', () => {
    const contents: Buffer[] = [];
    for (let times = 0; times < 2; times++) {
      using spool = new Spool<string>();
      for (let n = 0; n < 3 * BATCH; n++) spool.push('canary');
      const [{ descriptor } = { descriptor: -1 }] = openFiles();
      contents.push(readFileSync(`/proc/self/fd/${descriptor}`));
      expect([...spool.read()].at(-1)).toBe('canary');
    }
    const pieces = contents.flatMap((content) => {
      const length = content.length / 3;
      return [0, 1, 2].map((n) => content.subarray(n * length, (n + 1) * length));
    });
    expect(new Set(pieces.map((piece) => piece.toString('base64'))).size).toBe(6);
    // Equal values under one key and IV would differ by the tag alone, or not at all.
    expect(new Set(pieces.map((piece) => piece.subarray(0, 12).toString('hex'))).size).toBe(6);
    expect(new Set(pieces.map((piece) => piece.subarray(28, 60).toString('hex'))).size).toBe(6);
    for (const content of contents) expect(content.includes('canary')).toBe(false);
  });

  it('that was changed or cut short is not read', () => {
    for (const at of [0, 12, 28, 5000]) {
      using spool = filled(BATCH);
      const [{ descriptor } = { descriptor: -1 }] = openFiles();
      const path = `/proc/self/fd/${descriptor}`;
      const byte = readFileSync(path)[at] ?? 0;
      const writer = openSync(path, 'r+');
      writeSync(writer, Buffer.from([byte ^ 1]), 0, 1, at);
      closeSync(writer);
      expect(() => [...spool.read()]).toThrow();
    }
    using spool = filled(2 * BATCH);
    const [{ descriptor } = { descriptor: -1 }] = openFiles();
    ftruncateSync(descriptor, statSync(`/proc/self/fd/${descriptor}`).size - 1);
    expect(thrownBy(() => [...spool.read()])).toMatchObject({
      code: 'IO',
      message: expect.stringContaining('cut short'),
    });
  });
});
