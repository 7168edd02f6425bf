// Runs each public operation under one limit, and says a verdict for each, a line of JSON.
// usage: every-limit.trial.ts LIMIT
import {
  chmodSync,
  closeSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type ErrorCode, initDatabase } from 'proxyvault';
import { migrationsFromFolder } from 'proxyvault/database';
import { readPassphraseFile } from 'proxyvault/keys';
import { fittingCodes, judge } from './fitting.ts';
import { COMMAND_LINE, LIBRARY, type Place, placeIn } from './operations.ts';
import { runCommand } from './run-command.ts';
import { arm, type Fault, lift, status } from './shim/control.ts';
import { onCopy } from './template.ts';
import type { Verdict } from './trial.ts';

const OPERATIONS = [...LIBRARY, ...COMMAND_LINE];
/** Of a path that leads nowhere. */
const NO_PATH: readonly ErrorCode[] = [
  'CANNOT_OPEN',
  'CONFLICT',
  'KEY_INVALID',
  'KEY_MISSING',
  'NOT_A_DATABASE',
];

/** What takes a further path. */
const BY_PATH: readonly { name: string; run: (place: Place & { path: string }) => unknown }[] = [
  { name: 'migrationsFromFolder', run: ({ path }) => migrationsFromFolder('app', path) },
  { name: 'readPassphraseFile', run: ({ path }) => readPassphraseFile(path) },
  {
    name: 'backup',
    run: async ({ pool, path }) => {
      await using db = initDatabase({ path: pool });
      await db.backup(path);
    },
  },
  ...[['import'], ['import', '--dry-run'], ['backup'], ['key', 'recover', '--code-file']].map((words) => ({
    name: `proxyvault ${words.join(' ')} PATH`,
    run: (place: Place & { path: string }) => runCommand([...words, place.path], place),
  })),
];

async function thrownBy<P extends Place>(
  operation: { run: (place: P) => unknown },
  place: P,
): Promise<unknown> {
  try {
    await operation.run(place);
    return null;
  } catch (error) {
    return error ?? new Error('it threw nothing, as an error');
  }
}

function say(verdict: Verdict): void {
  writeSync(1, `${JSON.stringify(verdict)}\n`);
}

/** Every such call fails from the first on; file-calls.c must be loaded. */
async function calls(): Promise<void> {
  const limits: Omit<Fault, 'path' | 'nth' | 'mode'>[] = [
    { call: 'open', errno: 'EMFILE' },
    { call: 'open', errno: 'EACCES' },
    { call: 'write', errno: 'ENOSPC' },
    { call: 'write', errno: 'EDQUOT' },
    { call: 'write', errno: 'EFBIG' },
    { call: 'mkdir', errno: 'EROFS' },
    { call: 'sync', errno: 'EIO' },
  ];
  for (const limit of limits) {
    for (const operation of OPERATIONS) {
      await onCopy(async ({ root, id }) => {
        arm({ ...limit, nth: 1, mode: 'always', path: root });
        const thrown = await thrownBy(operation, placeIn(root, undefined, id));
        const { path } = status();
        lift();
        const problem = judge(thrown, fittingCodes({ ...limit, path }));
        const name = `${operation.name}; ${limit.call} ${limit.errno}, on …${path.slice(root.length)}`;
        say({
          name,
          problem,
        });
      });
    }
  }
}

/** All file descriptors but a few are taken; the shell has set a low limit of them. */
async function descriptors(): Promise<void> {
  for (const free of [0, 2, 3, 5]) {
    for (const operation of OPERATIONS) {
      await onCopy(async ({ root, id }) => {
        const taken = takeAll();
        for (const descriptor of taken.splice(0, free)) closeSync(descriptor);
        const thrown = await thrownBy(operation, placeIn(root, undefined, id));
        taken.forEach(closeSync);
        const fault = { call: 'open', errno: 'EMFILE', path: '' } as const;
        const problem = judge(thrown, fittingCodes(fault));
        say({ name: `${operation.name}; ${free} descriptors`, problem });
      });
    }
  }
}

function takeAll(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    return taken;
  }
}

/** The disk that PROXYVAULT_TEST_DISK names is full but for a few kilobytes. */
async function disk(): Promise<void> {
  for (const free of [0, 20_000]) {
    for (const operation of OPERATIONS) {
      await onCopy(async ({ root, id }) => {
        const ballast = join(dirname(root), 'ballast');
        fill(ballast, free);
        const thrown = await thrownBy(operation, placeIn(root, undefined, id));
        rmSync(ballast);
        const fault = { call: 'write', errno: 'ENOSPC', path: '' } as const;
        const problem = judge(thrown, [...fittingCodes(fault), 'IO']);
        say({ name: `${operation.name}; ${free} bytes free`, problem });
      });
    }
  }
}

function fill(path: string, free: number): void {
  const descriptor = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1024; size /= 2) writeWhilePossible(descriptor, Buffer.alloc(size));
  } finally {
    closeSync(descriptor);
  }
  if (free > 0) makeRoom(path, free);
}

function writeWhilePossible(descriptor: number, data: Buffer): void {
  try {
    while (writeSync(descriptor, data) === data.length);
  } catch {
    // It is full.
  }
}

function makeRoom(path: string, free: number): void {
  truncateSync(path, Math.max(0, statSync(path).size - free));
}

/** Another user's files and folders, or one's own without permission: not as root. */
async function permissions(): Promise<void> {
  const places: Record<string, readonly [mode: number, path: (place: Place) => string]> = {
    'the pool': [0o000, ({ pool }) => pool],
    'the pool, to write': [0o400, ({ pool }) => pool],
    'the folder of the pool': [0o500, ({ pool }) => dirname(pool)],
    'the key': [0o000, ({ keyFile }) => keyFile],
    'the list': [0o000, ({ root }) => join(root, 'list.txt')],
    'the folder for new files': [0o500, ({ root }) => root],
  };
  for (const [what, [mode, pathOf]] of Object.entries(places)) {
    for (const operation of OPERATIONS) {
      await onCopy(async ({ root, id }) => {
        const place = placeIn(root, undefined, id);
        chmodSync(pathOf(place), mode);
        const thrown = await thrownBy(operation, place);
        chmodSync(pathOf(place), 0o700);
        const fault = { call: 'open', errno: 'EACCES', path: '' } as const;
        const problem = judge(thrown, [...fittingCodes(fault), 'KEY_INVALID', 'KEY_MISSING']);
        say({ name: `${operation.name}; no permission for ${what}`, problem });
      });
    }
  }
}

/** Paths that lead nowhere. */
async function paths(): Promise<void> {
  const makers: Record<string, (root: string) => string> = {
    'in a missing folder, under a file': (root) => join(root, 'list.txt', 'pool.db'),
    'a folder': (root) => join(root, 'data'),
    'a loop of links': (root) => {
      symlinkSync('loop', join(root, 'loop'));
      return join(root, 'loop');
    },
    'too long': (root) => join(root, 'x'.repeat(300)),
    'a folder too long': (root) => join(root, 'x'.repeat(300), 'pool.db'),
  };
  const openers = OPERATIONS.filter(({ name }) =>
    [
      'read',
      'write',
      'key status and verify',
      'rotate',
      'protect',
      'proxyvault init',
      'proxyvault events',
    ].includes(name),
  );
  for (const [what, make] of Object.entries(makers)) {
    for (const [operations, which] of [
      [openers, 'pool'],
      [openers, 'keyFile'],
      [BY_PATH, 'path'],
    ] as const) {
      for (const operation of operations) {
        await onCopy(async ({ root, id }) => {
          const place = { ...placeIn(root, undefined, id), path: '', [which]: make(root) };
          const problem = judge(await thrownBy(operation, place), NO_PATH);
          say({ name: `${operation.name}; ${which} is ${what}`, problem });
        });
      }
    }
  }
}

const LIMITS: Record<string, () => Promise<void>> = { calls, descriptors, disk, permissions, paths };

await LIMITS[process.argv[2] ?? '']?.();
