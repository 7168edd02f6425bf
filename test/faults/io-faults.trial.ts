// Injects I/O faults (shim/file-calls.c must be loaded) into the public operations, one each time.
// usage: io-faults.trial.ts SEED [NUMBER]; see trial.ts
import { Expectation } from './facts.ts';
import { fittingCodes, judge } from './fitting.ts';
import { COMMAND_LINE, LIBRARY, type Operation, placeIn } from './operations.ts';
import type { Random } from './random.ts';
import { arm, CALLS, type Call, countCalls, type Errno, type Fault, lift, status } from './shim/control.ts';
import { onCopy } from './template.ts';
import { serveTrials, type Verdict } from './trial.ts';
import { verifyRoot } from './verify.ts';

/** What the system may say to each call. `short` is a write that stores a part. */
const ERRORS: Record<Call, readonly [Errno, ...Errno[]]> = {
  open: ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS', 'EINTR'],
  read: ['EIO', 'EINTR'],
  write: ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EINTR'],
  sync: ['EIO', 'ENOSPC', 'EDQUOT'],
  truncate: ['EIO', 'EFBIG', 'EINTR'],
  rename: ['EIO', 'ENOSPC', 'EACCES', 'EROFS'],
  link: ['EIO', 'ENOSPC', 'EACCES'],
  unlink: ['EIO', 'EACCES', 'EROFS'],
  mkdir: ['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'EROFS'],
};

const operations = [...LIBRARY, ...COMMAND_LINE] as [Operation, ...Operation[]];
/** Faults that have found defects: they are tried first, each time. */
const FOUND: readonly [operation: string, Omit<Fault, 'path'>][] = [
  // A program ended in the middle of its last `await`, since a thread that was being closed no longer kept it running.
  ['check', { call: 'open', nth: 4, errno: 'EMFILE', mode: 'once' }],
  ['check', { call: 'open', nth: 4, errno: 'EMFILE', mode: 'once' }],
  ['check', { call: 'read', nth: 19, errno: 'EIO', mode: 'once' }],
  // The error that a user saw was that of tidying up.
  [
    'proxyvault export --reveal --output {root}/list-out.txt',
    { call: 'unlink', nth: 1, errno: 'EROFS', mode: 'always' },
  ],
  ['backup', { call: 'open', nth: 12, errno: 'EDQUOT', mode: 'once' }],
  // In doubt: stored all the same.
  ['write', { call: 'sync', nth: 5, errno: 'ENOSPC', mode: 'always' }],
];

/** How many calls of each kind an operation makes. */
const counts = new Map<Operation, Map<Call, number>>();

async function countsOf(operation: Operation): Promise<Map<Call, number>> {
  const known = counts.get(operation);
  if (known) return known;
  const found = await onCopy(({ root, id }) =>
    countCalls(root, () => operation.run(placeIn(root, undefined, id))),
  );
  for (const call of CALLS) if (found.get(call) === 0) found.delete(call);
  counts.set(operation, found);
  return found;
}

function chooseFault(found: ReadonlyMap<Call, number>, random: Random): Omit<Fault, 'path'> {
  const call = random.pick([...found.keys()] as [Call, ...Call[]]);
  const errno = random.pick(ERRORS[call]);
  // A call that is interrupted again and again is tried again and again.
  const always = errno !== 'EINTR' && random.chance(0.5);
  const short = call === 'write' && random.chance(0.1);
  return {
    call,
    nth: 1 + random.below(found.get(call) ?? 1),
    errno,
    mode: short ? 'short' : always ? 'always' : 'once',
  };
}

async function choose(number: number, random: Random): Promise<[Operation, Omit<Fault, 'path'>]> {
  const [name, found] = FOUND[number] ?? [];
  if (found) return [operations.find((operation) => operation.name === name) ?? operations[0], found];
  const operation = random.pick(operations);
  return [operation, chooseFault(await countsOf(operation), random)];
}

await serveTrials(async (number, random, tries): Promise<Verdict> => {
  const [operation, fault] = await choose(number, random);
  const what = `${operation.name}; ${fault.call} ${fault.nth} ${fault.mode} ${fault.errno}`;
  tries(what);
  return onCopy(async ({ root, id, lines: templateLines }) => {
    const lines = [...templateLines];
    const place = placeIn(root, (line) => lines.push(line), id);
    arm({ ...fault, path: root });
    const thrown = await Promise.resolve(operation.run(place)).then(
      () => null,
      (error: unknown) => error ?? new Error('undefined'),
    );
    const { fired, path } = status();
    lift();
    const name = `${what} (${fired} failed, on …${path.slice(root.length)})`;
    const problem =
      judge(thrown, fired === 0 || fault.mode === 'short' ? [] : fittingCodes({ ...fault, path })) ??
      ((await verifyRoot(root, Expectation.afterFailures(lines), false)).slice(0, 3).join('; ') || null);
    return { name, problem, isIdle: fired === 0 };
  });
});
