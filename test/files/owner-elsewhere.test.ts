import { expect, it, vi } from 'vitest';
import { isAlive, ownMark, processOf } from '../../src/files/owner.ts';

vi.mock('node:fs', async (load) => {
  const none = (): never => {
    throw Object.assign(new Error('ENOENT'), { code: 'ENOENT', syscall: 'open' });
  };
  return { ...(await load<typeof import('node:fs')>()), readFileSync: none, readlinkSync: none };
});

it('on a system that tells of no boot, machine and start, a mark still names its process, whose id decides', () => {
  const mark = ownMark();
  expect(mark).toMatch(/^00000000-[\da-f]{8}-\d+-0$/);
  expect(processOf(mark)).toBe(process.pid);
  expect(isAlive(mark)).toBe(true);
  const place = mark.split('-', 2).join('-');
  // No process has an id as large as this one.
  expect(isAlive(`${place}-99999999-0`)).toBe(false);
  // Another process of the same id is taken for it, since nobody knows better.
  expect(isAlive(`${place}-${process.pid}-4711`)).toBe(true);
  // Of another boot or machine nothing can be told.
  const elsewhere = mark.split('-')[1] === 'ffffffff' ? 'eeeeeeee' : 'ffffffff';
  expect(isAlive(`00000000-${elsewhere}-${process.pid}-0`)).toBeNull();
});
