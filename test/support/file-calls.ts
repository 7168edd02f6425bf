/**
 * Watches what the library does through `node:fs` below one folder: records the calls, and makes one of them fail. A test
 * file puts it in place with
 *
 *   vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));
 *
 * What SQLite does by itself is not seen here: see test/faults/shim.
 */
import { constants } from 'node:os';
import { resolve } from 'node:path';

type FileSystem = typeof import('node:fs');

/** One call that succeeded, with paths relative to the watched folder. */
export interface FileCall {
  /** The name of the function, without `Sync`. */
  call: string;
  path: string;
  /** The new name of a rename, a link or a copy. */
  to: string;
  /** How a file was opened, or copied. */
  flags: string | number;
  /** The permissions of a new file or folder. */
  mode: number | undefined;
  /** What was written, and where if that was said. */
  data: Buffer | undefined;
  position: number | undefined;
  /** Whether a rename, a copy or an opening found a file at the name that it gives. */
  replaces: boolean;
}

/** What the system says to one call: an error's name; `short` reads or writes a part only. */
export type Answer =
  | 'EIO'
  | 'ENOSPC'
  | 'EFBIG'
  | 'ENFILE'
  | 'EDQUOT'
  | 'EMFILE'
  | 'EACCES'
  | 'EPERM'
  | 'ENOTSUP'
  | 'EOPNOTSUPP'
  | 'ENOSYS'
  | 'EROFS'
  | 'EEXIST'
  | 'short';

interface Watch {
  folder: string;
  calls: FileCall[];
  /** How many calls there were, the failed ones too. */
  count: number;
  /** Asked before each call, by its name and its number from 1. */
  answer: (call: string, number: number) => Answer | null;
  descriptors: Map<number, string>;
}

/** Calls whose second argument is a path too. */
const OF_TWO_PATHS = ['rename', 'link', 'copyFile', 'symlink'];

let watch: Watch | null = null;

/** `node:fs` as it is, with every synchronous function watched while `record` or `failing` runs. */
export function watched(original: FileSystem): FileSystem & { default: FileSystem } {
  const functions = Object.entries(original).filter(
    ([name, value]) => name.endsWith('Sync') && typeof value === 'function',
  );
  const wrapped = functions.map(([name, run]) => [
    name,
    Object.assign(
      (...args: unknown[]) => observe(original, name.slice(0, -'Sync'.length), args, run as Run),
      run,
    ),
  ]);
  const all = { ...original, ...Object.fromEntries(wrapped) } as FileSystem;
  return { ...all, default: all };
}

/** The calls that `work` makes below a folder, in order. */
export async function record(folder: string, work: () => unknown): Promise<FileCall[]> {
  const { calls, descriptors } = await during(folder, () => null, work);
  if (descriptors.size > 0) throw new Error(`These stay open: ${[...descriptors.values()].join(', ')}`);
  return calls;
}

/** Runs `work` while the system answers some of its calls with an error; gives what it throws, or null. */
export async function failing(
  folder: string,
  answer: Watch['answer'],
  work: () => unknown,
): Promise<unknown> {
  let thrown: unknown = null;
  await during(folder, answer, async () => {
    try {
      await work();
    } catch (error) {
      thrown = error;
    }
  });
  return thrown;
}

/** A call as one line, such as `open a/key.tmp wx 600`. What is random in a name is left out. */
export function lineOf({ call, path, to, flags, mode }: FileCall): string {
  const parts = [call, path, to && `-> ${to}`, String(flags), mode?.toString(8) ?? ''];
  return parts.map(named).filter(Boolean).join(' ');
}

/** A name without what differs each time. */
function named(text: string): string {
  return text
    .replaceAll(/\.[\da-f]{8}-[\da-f]{8}-\d+-\d+\.[\da-f]{12}(?=\.(?:tmp|partial))/g, '')
    .replaceAll(/\d{8}T\d{9}Z/g, 'TIME');
}

type Run = (...args: unknown[]) => unknown;

async function during(folder: string, answer: Watch['answer'], work: () => unknown): Promise<Watch> {
  const own: Watch = { folder, calls: [], count: 0, answer, descriptors: new Map() };
  watch = own;
  try {
    await work();
    return own;
  } finally {
    watch = null;
  }
}

function observe(fs: FileSystem, call: string, args: unknown[], run: Run): unknown {
  const path = watch === null ? undefined : pathOf(args[0], watch);
  if (watch === null || path === undefined) return run(...args);
  const own = watch;
  const answer = own.answer(call, ++own.count);
  // It says no whatever the reason is.
  if (answer !== null && call === 'exists') return false;
  const isShort = answer === 'short' && /^(?:read|write)$/.test(call);
  if (answer !== null && answer !== 'short') fail(own, call, answer, args, run);
  const entry = entryOf(fs, own, call, path, args);
  // The later bytes of a buffer are left out: (descriptor, buffer, offset, length, position).
  const result = isShort ? run(args[0], args[1], args[2] ?? 0, 1, args[4]) : run(...args);
  own.calls.push(entry);
  if (call === 'open') own.descriptors.set(Number(result), path);
  if (call === 'close') own.descriptors.delete(Number(args[0]));
  return result;
}

/** Below the folder, relative to it; undefined for what is elsewhere. */
function pathOf(argument: unknown, { folder, descriptors }: Watch): string | undefined {
  if (typeof argument === 'number') return descriptors.get(argument);
  const path = resolve(String(argument));
  if (path === folder) return '.';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
}

function entryOf(fs: FileSystem, own: Watch, call: string, path: string, args: unknown[]): FileCall {
  const ofTwo = OF_TWO_PATHS.includes(call);
  const options = args.find(
    (each) => typeof each === 'object' && each !== null && ('mode' in each || 'flag' in each),
  ) as { mode?: number; flag?: string } | undefined;
  return {
    call,
    path,
    to: ofTwo ? (pathOf(args[1], own) ?? String(args[1])) : '',
    flags:
      call === 'open' ? String(args[1]) : call === 'copyFile' ? Number(args[2] ?? 0) : (options?.flag ?? ''),
    mode: options?.mode ?? (typeof args[2] === 'number' && call === 'open' ? args[2] : undefined),
    data: call === 'write' ? Buffer.from(args[1] as Uint8Array) : undefined,
    position: call === 'write' && typeof args[4] === 'number' ? args[4] : undefined,
    replaces: fs.existsSync(String(ofTwo ? args[1] : args[0])),
  };
}

function fail(own: Watch, call: string, code: Exclude<Answer, 'short'>, args: unknown[], run: Run): never {
  if (call === 'close') {
    // The descriptor is gone whatever close(2) says.
    own.descriptors.delete(Number(args[0]));
    run(...args);
  }
  throw Object.assign(new Error(`${code}: made up by a test, ${call} '${String(args[0])}'`), {
    code,
    errno: -constants.errno[code],
    syscall: call,
  });
}
