import type { Lease } from './lease.ts';
import type { Wanted, WantedLease } from './request.ts';

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
   * Offers what is there, to the one first that has waited longest.
   *
   * @param take gives a lease, or null if there is none for this waiter. What it throws is the waiter's answer.
   */
  serve(take: (waiter: Waiter) => Lease | null): void {
    const lines = [...this.#lines].map(([name, line]) => ({ name, line }));
    while (lines.length > 0) {
      let first = 0;
      for (let n = 1; n < lines.length; n++)
        if (headOf(lines[n]?.line).number < headOf(lines[first]?.line).number) first = n;
      const { name, line } = lines[first] as (typeof lines)[number];
      if (this.#serveHead(name, line, take) && this.#lines.get(name) === line) continue;
      lines.splice(first, 1);
    }
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

  *[Symbol.iterator](): Generator<Waiter, void, undefined> {
    for (const line of this.#lines.values())
      for (let n = line.done; n < line.waiters.length; n++)
        if (!(line.waiters[n] as Waiting).isDone) yield line.waiters[n] as Waiting;
  }

  /** Says whether the first of the line had its answer. */
  #serveHead(name: string, line: Line, take: (waiter: Waiter) => Lease | null): boolean {
    const head = headOf(line);
    try {
      const lease = take(head);
      if (lease === null) return false;
      this.#finish(name, head);
      head.resolve(lease);
    } catch (error) {
      this.#finish(name, head);
      head.reject(error);
    }
    return true;
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

function headOf(line: Line | undefined): Waiting {
  return line?.waiters[line.done] as Waiting;
}

/** The same text for those who want the same. Excluded ids are not compared: who excludes some has a line of its own for that many. */
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
  const excluded = Array.isArray(exclude)
    ? exclude.join(',')
    : `Set ${(exclude as ReadonlySet<string>).size}`;
  return JSON.stringify([url, domain, session, country, region, protocol, tags, strategy, excluded]);
}
