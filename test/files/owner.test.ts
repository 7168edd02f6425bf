import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { isAbandoned, isAlive, ownMark, processOf } from '../../src/files/owner.ts';
import { temporaryFolder } from '../support/temporary.ts';

const linux = process.platform === 'linux';

function fileOf(minutesOld: number): string {
  const path = join(temporaryFolder(), 'left');
  writeFileSync(path, 'x');
  const then = new Date(Date.now() - minutesOld * 60_000);
  utimesSync(path, then, then);
  return path;
}

it('a mark of this process is alive, and its old file is not abandoned', () => {
  expect(isAlive(ownMark())).toBe(true);
  expect(isAbandoned(fileOf(60 * 24), ownMark())).toBe(false);
});

it('a mark of a process that has ended is dead, and its new file is abandoned', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  const [machine, place, , start] = ownMark().split('-');
  const mark = `${machine}-${place}-${child.pid}-0`;
  expect(isAlive(mark)).toBe(true);
  // Another process has had this id before: the start time differs.
  if (linux) expect(isAlive(`${machine}-${place}-${child.pid}-${Number(start) - 1}`)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(mark)).toBe(false);
  expect(isAbandoned(fileOf(0), mark)).toBe(true);
});

it('a mark of an older boot of this machine is dead, whatever its age; of another machine or a container age decides', () => {
  const [machine = '', place = ''] = ownMark().split('-');
  const older = place === 'ffffffff' ? 'eeeeeeee' : 'ffffffff';
  const isKnown = machine !== '00000000';
  expect(isAlive(`${machine}-${older}-1-1`)).toBe(isKnown ? false : null);
  expect(isAbandoned(fileOf(0), `${machine}-${older}-1-1`)).toBe(isKnown);
  const elsewhere = machine === 'ffffffff' ? 'eeeeeeee' : 'ffffffff';
  for (const other of [elsewhere, '00000000']) {
    expect(isAlive(`${other}-${older}-1-1`)).toBeNull();
    expect(isAbandoned(fileOf(0), `${other}-${older}-1-1`)).toBe(false);
    expect(isAbandoned(fileOf(11), `${other}-${older}-1-1`)).toBe(true);
  }
});

it.each(['', 'x', '0000000-ffffffff-1-1', 'ffffffff-1-1', '../../x', '12345678-12345678-1-1\n'])(
  'a mark %j of another place or of no form is decided by age alone',
  (mark) => {
    expect(isAlive(mark)).toBeNull();
    expect(isAbandoned(fileOf(9), mark)).toBe(false);
    expect(isAbandoned(fileOf(11), mark)).toBe(true);
    expect(isAbandoned(join(temporaryFolder(), 'absent'), mark)).toBe(false);
  },
);

it('a process of another user lives, although it may not be signalled', () => {
  const denied = Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  vi.spyOn(process, 'kill').mockImplementation(() => {
    throw denied;
  });
  expect(isAlive(ownMark())).toBe(true);
  denied.code = 'ESRCH';
  expect(isAlive(ownMark())).toBe(false);
  vi.restoreAllMocks();
});

it.skipIf(!linux || !existsSync('/bin/sleep'))(
  'the name of a command cannot hide when it has started (Linux: it is in /proc)',
  async () => {
    const program = join(temporaryFolder(), 'a) S 1 (b');
    copyFileSync('/bin/sleep', program);
    const child = spawn(program, ['60'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    // The 22nd field, and the second one has all the parentheses.
    const start = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const [machine, place] = ownMark().split('-');
    expect(isAlive(`${machine}-${place}-${child.pid}-${start}`)).toBe(true);
    expect(isAlive(`${machine}-${place}-${child.pid}-${start - 1}`)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
  },
);

it('a mark names its process, and what is no mark names none', () => {
  expect(processOf(ownMark())).toBe(process.pid);
  expect(processOf('')).toBeNull();
  expect(processOf('4711')).toBeNull();
});

it.skipIf(!linux)('a zombie is dead (Linux: the state is read from /proc)', async () => {
  // The shell becomes another program, which never asks for the exit code of the child that it has inherited.
  const script = 'read line <&3 & echo $!; exec "$0" -e "console.log(0); setInterval(() => {}, 1000)"';
  const parent = spawn('/bin/sh', ['-c', script, process.execPath], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  const lines = createInterface(parent.stdout as Readable)[Symbol.asyncIterator]();
  const { value: pid } = await lines.next();
  await lines.next();
  const [machine, place] = ownMark().split('-');
  const mark = `${machine}-${place}-${Number(pid)}-0`;
  expect(isAlive(mark)).toBe(true);
  // The child ends, and nobody is told.
  (parent.stdio[3] as Writable).end('\n');
  await expect.poll(() => isAlive(mark), { interval: 1 }).toBe(false);
  expect(() => process.kill(Number(pid), 0)).not.toThrow();
  parent.kill('SIGKILL');
});
