import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A mark names the process that owns a temporary file or a lock. It can be a part of a file name: the machine, the place (a
 * boot and its process-id namespace, as a container has one of its own), the process id, and when the process started, because
 * ids are used again.
 */
const MARK = /^([\da-f]{8})-([\da-f]{8})-(\d+)-(\d+)$/;

/** Of a machine that cannot be told from others for certain. */
const UNKNOWN_MACHINE = '00000000';

/** The namespace of process ids that is no container's has this number on every Linux. */
const FIRST_NAMESPACE = 'pid:[4026531836]';

/** If a process cannot be seen from here, its files are abandoned after this many milliseconds without a write. */
const UNSEEN_MS = 10 * 60_000;

const ENDED = 'ended';

let own: string | null = null;
let place: string | null = null;
let machine: string | null = null;

/** The mark of this process. */
export function ownMark(): string {
  own ??= `${thisMachine()}-${thisPlace()}-${process.pid}-${startOf(process.pid) ?? '0'}`;
  return own;
}

/** The process id in a mark; null for what is no mark. */
export function processOf(mark: string): number | null {
  const [, , , pid] = MARK.exec(mark) ?? [];
  return pid === undefined ? null : Number(pid);
}

/**
 * Whether the process of a mark runs; null if that cannot be told: it is no mark, or of a container or another machine. Where
 * the system does not say when a process started (there is no /proc), another process of the same id is taken for it.
 */
export function isAlive(mark: string): boolean | null {
  const [, from, where, pid, start] = MARK.exec(mark) ?? [];
  if (pid === undefined) return null;
  // Of the same machine it can only be another boot: none of its processes is left.
  if (where !== thisPlace()) return from === thisMachine() && from !== UNKNOWN_MACHINE ? false : null;
  if (!exists(Number(pid))) return false;
  const started = startOf(Number(pid));
  if (started === ENDED) return false;
  return started === null || start === '0' || started === start;
}

/**
 * Whether a file was left by a process that is gone. Liveness decides; only if it cannot be told does the time of the
 * last write. A file that is not there is not abandoned.
 */
export function isAbandoned(path: string, mark: string): boolean {
  const alive = isAlive(mark);
  if (alive !== null) return !alive;
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > UNSEEN_MS;
}

function thisPlace(): string {
  place ??= digest(`${bootId() ?? hostname()} ${namespace() ?? ''}`);
  return place;
}

/** Images of containers share one machine id, so that in a container it tells nothing. */
function thisMachine(): string {
  if (machine !== null) return machine;
  const id = orNull(() => readFileSync('/etc/machine-id', 'utf8').trim());
  const isKnown = /^[\da-f]{32}$/.test(id ?? '') && bootId() !== null && namespace() === FIRST_NAMESPACE;
  machine = isKnown ? digest(`${id} ${hostname()}`) : UNKNOWN_MACHINE;
  return machine;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function bootId(): string | null {
  return orNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

function namespace(): string | null {
  return orNull(() => readlinkSync('/proc/self/ns/pid'));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs as another user.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/**
 * When a process started, in clock ticks since the boot; null if it is gone or the system does not say. A zombie has
 * ended, although its parent has not asked for its exit code yet. See proc_pid_stat(5).
 */
function startOf(pid: number): string | null {
  const stat = orNull(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  // The second field is the command's name in parentheses, which may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields[0] === 'Z' || fields[0] === 'X' ? ENDED : (fields[19] ?? null);
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
