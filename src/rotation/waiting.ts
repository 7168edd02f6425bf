import type { Lease } from './lease.ts';
import type { Wanted, WantedLease } from './request.ts';

/** So many lines are asked in order each time, and as many of the rest. */
const AT_ONCE = 200;

/** A call of `acquire` that waits. */
export interface Waiter {
  readonly asked: WantedLease;
  resolve: (lease: Lease) => void;
  reject: (error: unknown) => void;
}

interface Waiting extends Waiter {
  /** Those that came before have lower numbers. */
  number: number;
  isDone: boolean;
}

/** Calls that want the same, in the order of their arrival. */
interface Line {
  waiters: Waiting[];
  /** How many at the beginning are done. */
  done: number;
}

/**
 * Those who wait for a proxy, in the order of their arrival. Who wants something that is not there does not hold up those who want
 * something else.
 */
export class WaitingLine {
  readonly #lines = new Map<string, Line>();
  #number = 0;
  #size = 0;
  /** The last line further behind that was asked, by the number of its first one. */
  #cursor = -1;

  get size(): number {
    return this.#size;
  }

  /** Whether somebody waits for the same: who comes now must wait too. */
  hasBefore(wanted: Wanted): boolean {
    return this.#size > 0 && this.#lines.has(lineOf(wanted));
  }

  /** Lets one wait; gives the function that takes it out again. */
  add(waiter: Waiter): () => void {
    const name = lineOf(waiter.asked.wanted);
    const waiting: Waiting = { ...waiter, number: this.#number++, isDone: false };
    const line = this.#lines.get(name);
    if (line === undefined) this.#lines.set(name, { waiters: [waiting], done: 0 });
    else line.waiters.push(waiting);
    this.#size++;
    return () => {
      if (waiting.isDone) return;
      waiting.isDone = true;
      this.#size--;
      this.#tidy(name);
    };
  }

  /**
   * Offers what is there, to the one first that has waited longest. If there are many lines, those further behind are asked in turn, so
   * that no call takes long.
   *
   * @param take gives a lease, or null if there is no lease for this waiter. What it throws is the waiter's answer.
   * @param isEmpty whether no proxy at all is left.
   */
  serve(take: (waiter: Waiter) => Lease | null, isEmpty: () => boolean): void {
    const lines = [...this.#lines].sort(([, one], [, other]) => headOf(one).number - headOf(other).number);
    let refused = 0;
    for (let place = 0; place < lines.length && refused < 2 * AT_ONCE; place++) {
      if (isEmpty()) return;
      const [name, line] = lines[place] as [string, Line];
      // A listener may have ended all its waits.
      if (this.#lines.get(name) !== line) continue;
      const { number } = headOf(line);
      if (refused >= AT_ONCE && number <= this.#cursor) continue;
      if (this.#serveHead(name, line, take)) {
        if (this.#lines.get(name) === line) this.#insert(lines, [name, line], place + 1);
        continue;
      }
      refused++;
      if (refused > AT_ONCE) this.#cursor = number;
    }
    // The next time begins with the first ones that are further behind, unless some were left out now.
    if (refused < 2 * AT_ONCE) this.#cursor = -1;
  }

  /** Ends all waits. */
  rejectAll(error: unknown): void {
    const waiters = [...this.#lines.values()].flatMap((line) => line.waiters.slice(line.done));
    this.#lines.clear();
    this.#size = 0;
    for (const waiter of waiters) {
      if (waiter.isDone) continue;
      waiter.isDone = true;
      waiter.reject(error);
    }
  }

  /** Says whether the first of the line had its answer. */
  #serveHead(name: string, line: Line, take: (waiter: Waiter) => Lease | null): boolean {
    const head = headOf(line);
    try {
      const lease = take(head);
      if (lease === null) return false;
      // A listener may have ended its wait just now.
      if (head.isDone) lease[Symbol.dispose]();
      else {
        this.#finish(name, head);
        head.resolve(lease);
      }
    } catch (error) {
      if (head.isDone) return true;
      this.#finish(name, head);
      head.reject(error);
    }
    return true;
  }

  /** Puts a line in its place among those that are not asked yet. */
  #insert(lines: [string, Line][], entry: [string, Line], from: number): void {
    let place = from;
    const isBefore = ([name, line]: [string, Line]): boolean =>
      this.#lines.get(name) !== line || headOf(line).number < headOf(entry[1]).number;
    while (place < lines.length && isBefore(lines[place] as [string, Line])) place++;
    lines.splice(place, 0, entry);
  }

  #finish(name: string, waiting: Waiting): void {
    waiting.isDone = true;
    this.#size--;
    this.#tidy(name);
  }

  /** The first of a line is never done. */
  #tidy(name: string): void {
    const line = this.#lines.get(name);
    if (line === undefined) return;
    while (line.waiters[line.done]?.isDone) line.done++;
    if (line.done === line.waiters.length) this.#lines.delete(name);
    else if (line.done > 1000 && line.done > line.waiters.length / 2) {
      line.waiters.splice(0, line.done);
      line.done = 0;
    }
  }
}

/** Of a line in which somebody waits. */
function headOf(line: Line): Waiting {
  return line.waiters[line.done] as Waiting;
}

/** The same text for those who want the same. */
function lineOf({
  url,
  domain,
  session,
  country,
  region,
  protocol,
  tags,
  strategy,
  exclude,
}: Wanted): string {
  const excluded = Array.isArray(exclude) ? exclude : numberOf(exclude as ReadonlySet<string>);
  return JSON.stringify([url, domain, session, country, region, protocol, tags, strategy, excluded]);
}

const NUMBERS = new WeakMap<ReadonlySet<string>, number>();
let sets = 0;

/** A Set may be large, and change: whoever gives the same one wants the same. */
function numberOf(ids: ReadonlySet<string>): number {
  const number = NUMBERS.get(ids) ?? sets++;
  NUMBERS.set(ids, number);
  return number;
}
