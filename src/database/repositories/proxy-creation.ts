import { ProxyVaultError } from '../../errors.ts';
import { type ProxyConfig, type ProxyInput, proxyInputSchema } from '../../model/proxy.ts';
import { atIndex, parse } from '../../model/validation.ts';
import { type Mode, type Session, type Steps, step } from '../drivers/driver.ts';
import { newId } from '../ids.ts';
import type { ProxyParts } from './proxy-changes.ts';
import { batchOf, INSERT_OTHER_PROXY, INSERT_PROXY, LARGEST_BATCH } from './proxy-inserts.ts';
import { alreadyThere, type NewProxy, toCreated, toParams } from './proxy-record.ts';
import { Repository } from './repository.ts';

/** A batch was not stored, since at least one of its proxies cannot be added without a closer look. */
const TAKEN = new Error('Taken.');

/** Adds new proxies to the pool, one or many. */
export class ProxyCreation<M extends Mode> extends Repository<M> {
  readonly #parts: ProxyParts<M>;

  constructor(session: Session<M>, parts: ProxyParts<M>) {
    super(session);
    this.#parts = parts;
  }

  /** Adds a proxy, in a transaction. @throws as `ProxyRepository.create`. */
  *create(input: ProxyInput): Steps<M, ProxyConfig> {
    const identity = yield* this.#parts.identities.of(input, input.credentials);
    const params = toParams(input, input.id ?? newId(), identity, this.now());
    const { id } = params;
    let added = yield* step(this.db.run(INSERT_OTHER_PROXY, params));
    if (added === 0) {
      yield* this.#parts.identities.identify(identity);
      added = yield* step(this.db.run(INSERT_PROXY, params));
    }
    if (added === 0) throw alreadyThere(yield* step(this.#parts.identities.findConflict(id, identity)));
    const created = toCreated(params);
    if (input.credentials) yield this.#parts.credentials.add(created, input.credentials);
    return created;
  }

  /** As `create`, of a proxy without credentials: one statement, unless there may be such a proxy. */
  *createOpen(input: ProxyInput): Steps<M, ProxyConfig> {
    const params = toOpenParams(input, this.now());
    const added = yield* step(this.db.run(INSERT_OTHER_PROXY, params));
    if (added !== 0) return toCreated(params);
    return yield* step(this.db.transaction(() => this.create(input)));
  }

  /** Adds proxies, in a transaction. @throws as `create`, for the first that cannot be added; `details.index` says which one. */
  *createAll(proxies: Iterable<ProxyInput>): Steps<M, ProxyConfig[]> {
    const created: ProxyConfig[] = [];
    const waiting: ProxyInput[] = [];
    for (const proxy of proxies) {
      const read = readInput(proxy);
      if ('input' in read && !read.input.credentials) {
        waiting.push(read.input);
        if (waiting.length < LARGEST_BATCH) continue;
      }
      // Also before an error, since the first one counts.
      yield* this.#createWaiting(waiting.splice(0), created);
      try {
        if ('error' in read) throw read.error;
        if (read.input.credentials) created.push(yield* this.create(read.input));
      } catch (error) {
        throw atIndex(error, created.length);
      }
    }
    yield* this.#createWaiting(waiting, created);
    return created;
  }

  /** Adds proxies without credentials. */
  *#createWaiting(waiting: readonly ProxyInput[], created: ProxyConfig[]): Steps<M, void> {
    for (let at = 0; at < waiting.length; ) {
      // Powers of two, so that there are few statements to prepare.
      const inputs = waiting.slice(at, at + 2 ** Math.floor(Math.log2(waiting.length - at)));
      at += inputs.length;
      const together = inputs.length > 1 ? yield* this.#createTogether(inputs) : null;
      if (together !== null) created.push(...together);
      else yield* this.#createOneByOne(inputs, created);
    }
  }

  *#createOneByOne(inputs: readonly ProxyInput[], created: ProxyConfig[]): Steps<M, void> {
    for (const input of inputs) {
      try {
        created.push(yield* this.createOpen(input));
      } catch (error) {
        throw atIndex(error, created.length);
      }
    }
  }

  /** Adds proxies without credentials by one statement. Null, and nothing is stored, if one of them needs a closer look. */
  *#createTogether(inputs: readonly ProxyInput[]): Steps<M, ProxyConfig[] | null> {
    const now = this.now();
    const rows = inputs.map((input) => toOpenParams(input, now));
    try {
      yield this.db.transaction(() => this.#insertTogether(rows));
    } catch (error) {
      if (error === TAKEN || isConstraint(error)) return null;
      throw error;
    }
    return rows.map(toCreated);
  }

  *#insertTogether(rows: readonly NewProxy[]): Steps<M, void> {
    const { look, insert, placesOf, paramsOf } = batchOf(rows);
    const { isFound, revision } = yield* step(
      this.db.one(look, placesOf(rows), (row) => ({
        isFound: row?.found !== 0,
        revision: Number(row?.revision),
      })),
    );
    if (isFound) throw TAKEN;
    // An id is taken, or two of them are the same proxy.
    if ((yield* step(this.db.run(insert, paramsOf(rows, revision)))) < rows.length) throw TAKEN;
  }
}

function toOpenParams(input: ProxyInput, now: string): NewProxy {
  const { protocol, host, port } = input;
  const identity = { protocol, host, port, username_fingerprint: '', password_fingerprint: '' };
  return toParams(input, input.id ?? newId(), identity, now);
}

/** Whether a trigger or check of an application refused one of them: nobody knows yet which. */
function isConstraint(error: unknown): boolean {
  return error instanceof ProxyVaultError && error.code === 'CONSTRAINT';
}

function readInput(proxy: ProxyInput): { input: ProxyInput } | { error: unknown } {
  try {
    return { input: parse(proxyInputSchema, proxy, 'proxy') };
  } catch (error) {
    return { error };
  }
}
