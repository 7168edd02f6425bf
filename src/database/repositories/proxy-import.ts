import type { Login } from '../../model/login.ts';
import { type ProxyInput, proxyInputSchema } from '../../model/proxy.ts';
import { assertIterable, assertOptions, atIndex, parse } from '../../model/validation.ts';
import { type Mode, type Params, type Result, type Session, type Steps, step } from '../drivers/driver.ts';
import { newId } from '../ids.ts';
import type { AddressedProxy } from './credential-record.ts';
import { type Decided, type Found, ImportMatcher, type Known } from './import-matcher.ts';
import { ImportMemory, type Undecided } from './import-memory.ts';
import type { ProxyParts } from './proxy-changes.ts';
import { INSERT_FIRST_PROXY, INSERT_PROXY } from './proxy-inserts.ts';
import { alreadyThere, defaultName, NEXT_REVISION, toParams } from './proxy-record.ts';
import { assertTag, TAGGED_AT_ONCE } from './proxy-tags.repository.ts';
import { changesOf, Repository } from './repository.ts';

/** What an import did, by proxies. */
export interface ImportSummary {
  added: number;
  /** Known ones that got another password, change-IP URL, name, region, geolocation, `remoteDns`, `weight` or `gateway`. */
  updated: number;
  unchanged: number;
  /**
   * The indexes of the entries whose change-IP URL was not stored, since they have no password, and the username is that of
   * several proxies or the stored login cannot be read. Absent if no entry is left out, or if the import has a `memory`.
   */
  urlsLeftOut?: number[];
}

export interface ImportOptions {
  /** For each of them. `importId` tells this import from earlier ones: see `ProxyTagsRepository.removeOthers`. */
  tag?: { name: string; importId: string } | undefined;
  /** Called with the number of entries done, about every `every` of them. */
  onProgress?: ((done: number) => void) | undefined;
  every?: number | undefined;
  /**
   * For a list that is stored in several transactions: the same memory in each, and `isLast: false` in all but the last.
   * @internal
   */
  memory?: ImportMemory | undefined;
  isLast?: boolean | undefined;
}

type Entry = Pick<Undecided, 'index' | 'input'>;

type Outcome = 'added' | 'updated' | 'unchanged';

/** @throws INVALID_INPUT for an option that does not exist. */
export function assertImportOptions(options: ImportOptions): ImportOptions {
  return assertOptions(options, ['tag', 'onProgress', 'every', 'memory', 'isLast'], 'options of an import');
}

/** The steps of an import. @throws INVALID_INPUT; what `ProxyRepository.importMany` throws. */
export function* importSteps<M extends Mode>(
  session: Session<M>,
  parts: ProxyParts<M>,
  proxies: Iterable<ProxyInput>,
  options: ImportOptions,
): Steps<M, ImportSummary> {
  assertIterable(proxies, 'proxies');
  const { memory: given } = assertImportOptions(options);
  if (given) return yield* new ProxyImport(session, parts, given, options).run(proxies);
  using memory = new ImportMemory();
  const summary = yield* new ProxyImport(session, parts, memory, options).run(proxies);
  const { urlsLeftOut } = memory;
  return urlsLeftOut.length > 0 ? { ...summary, urlsLeftOut } : summary;
}

/** Stores a list, or a part of one, within a transaction of the caller's. */
class ProxyImport<M extends Mode> extends Repository<M> {
  readonly #parts: ProxyParts<M>;
  readonly #memory: ImportMemory;
  readonly #matcher: ImportMatcher<M>;
  readonly #options: ImportOptions;
  /** The proxies that are to be tagged: many by one statement take half the time. */
  readonly #untagged = new Set<string>();
  /** The pool had the address and username of the last entry. */
  #lastWasKnown = false;

  constructor(session: Session<M>, parts: ProxyParts<M>, memory: ImportMemory, options: ImportOptions) {
    super(session);
    this.#parts = parts;
    this.#memory = memory;
    this.#matcher = new ImportMatcher(session, parts, memory);
    this.#options = options;
  }

  *run(proxies: Iterable<ProxyInput>): Steps<M, ImportSummary> {
    const { tag, onProgress, every = 1000, isLast = true } = this.#options;
    if (tag) {
      assertTag(tag.name);
      // Until the end, nobody removes for another tag what this import finds and tags. SQLite has one writer, and needs no lock.
      yield this.db.lock('tags');
    }
    yield* this.#matcher.begin();
    const summary: ImportSummary = { added: 0, updated: 0, unchanged: 0 };
    const before = this.#memory.read;
    let done = 0;
    const count = (outcome: Outcome): void => {
      summary[outcome]++;
      if (++done % every === 0) onProgress?.(done);
    };
    for (const proxy of this.repeatable(proxies)) {
      const index = this.#memory.read++;
      try {
        const outcome = yield* this.#store({ index, input: parse(proxyInputSchema, proxy, 'proxy') });
        if (outcome !== null) count(outcome);
      } catch (error) {
        throw atIndex(error, index - before);
      }
    }
    for (const entry of isLast ? this.#memory.entries() : []) {
      try {
        count(yield* this.#storeDecided(entry, yield* this.#matcher.decide(entry)));
      } catch (error) {
        throw atIndex(error, entry.index - before);
      }
    }
    yield* this.#tagAll();
    onProgress?.(done);
    return summary;
  }

  /** Null if the entry must wait for the end of the list. */
  *#store(entry: Entry): Steps<M, Outcome | null> {
    const { input } = entry;
    const { credentials } = input;
    const { identities } = this.#parts;
    const user = yield* identities.userOf(input, credentials);
    yield* this.#matcher.prepare(user, credentials);
    const password_fingerprint = credentials && credentials.password !== '' ? null : '';
    // Most lists are new or known as a whole: then one statement is enough for an entry.
    let match = this.#lastWasKnown ? yield* this.#matcher.match(user, credentials) : null;
    if (match === null) {
      this.#lastWasKnown = false;
      if (yield* this.#add(INSERT_FIRST_PROXY, input, { ...user, password_fingerprint })) return 'added';
      match = yield* this.#matcher.match(user, credentials);
    }
    this.#lastWasKnown = match !== null;
    match ??= { is: 'new', identity: yield* identities.complete(user, credentials) };
    if (match.is !== 'open') return yield* this.#storeDecided(entry, match);
    this.#memory.putOff({ ...entry, identity: match.identity, only: match.only });
    return null;
  }

  *#storeDecided(entry: Entry, match: Decided): Steps<M, Outcome> {
    const { input } = entry;
    if (match.is === 'new') {
      const { identity } = match;
      if (yield* this.#add(INSERT_PROXY, input, identity)) return 'added';
      throw alreadyThere(yield* step(this.#parts.identities.findConflict(input.id ?? '', identity)));
    }
    for (const { id } of match.found) yield* this.#tag(id);
    const [found, another] = match.found;
    // If a hidden password may be that of several proxies, nothing is known of any of them.
    if (found === undefined || another !== undefined) {
      this.#leaveUrlOut(entry);
      return 'unchanged';
    }
    return yield* this.#update(found, entry, match);
  }

  /** Says whether the statement has added it. */
  *#add(sql: string, input: ProxyInput, identity: Parameters<typeof toParams>[2]): Steps<M, boolean> {
    const id = input.id ?? newId();
    if ((yield* step(this.db.run(sql, toParams(input, id, identity, this.now())))) === 0) return false;
    this.#memory.find(id);
    if (input.credentials) yield this.#parts.credentials.add({ ...input, id }, input.credentials);
    yield* this.#tag(id);
    return true;
  }

  *#tag(id: string): Steps<M, void> {
    if (!this.#options.tag) return;
    this.#untagged.add(id);
    if (this.#untagged.size === TAGGED_AT_ONCE) yield* this.#tagAll();
  }

  *#tagAll(): Steps<M, void> {
    const { tag } = this.#options;
    if (tag) yield this.#parts.tags.addManyLocked(this.#untagged, tag.name, tag.importId);
    this.#untagged.clear();
  }

  /**
   * Gives a known proxy what the list says. If several lines are the same proxy, the first one counts and the others only add
   * what is missing: so the same list changes nothing the next time.
   */
  *#update(found: Found, entry: Entry, match: Known): Steps<M, 'updated' | 'unchanged'> {
    const { input } = entry;
    const { id } = found;
    const { name, region, geolocation, remoteDns, weight, gateway, credentials } = input;
    let changed = 0;
    const given = [name, region ?? undefined, geolocation ?? undefined, remoteDns, weight, gateway];
    if (given.some((value) => value !== undefined)) {
      const columns = { name, region, geolocation_json: geolocation, remote_dns: remoteDns, weight, gateway };
      const described = { ...changesOf(columns), id, now: this.now(), default_name: defaultName(input) };
      changed = yield* step(match.isRepeated ? this.#fillIn(described) : this.#describe(described));
    }
    const replacement = credentials ? yield* this.#changedLogin(found, entry, credentials, match) : null;
    if (replacement) {
      yield* this.#replaceLogin({ ...input, id }, replacement, match);
      changed++;
    }
    return changed > 0 ? 'updated' : 'unchanged';
  }

  /** The login of a known proxy with what the list has of it; null if that is no change. Lists that hide passwords have empty ones. */
  *#changedLogin(found: Found, entry: Entry, given: Login, match: Known): Steps<M, Login | null> {
    if (given.password === '' && given.rotateUrl === undefined) return null;
    const stored = match.stored ?? (yield* this.#matcher.loginOf(found, entry.input));
    if (stored === 'unreadable') {
      if (given.password !== '') return given;
      this.#leaveUrlOut(entry);
      return null;
    }
    const password = given.password || (stored?.password ?? '');
    const urls = [given.rotateUrl, stored?.rotateUrl];
    const rotateUrl = (match.isRepeated ? urls.reverse() : urls).find((url) => url !== undefined);
    const isSame = stored?.password === password && stored.rotateUrl === rotateUrl;
    return isSame ? null : { username: given.username, password, rotateUrl };
  }

  #leaveUrlOut({ index, input }: Entry): void {
    if (input.credentials?.rotateUrl !== undefined) this.#memory.urlsLeftOut.push(index);
  }

  /** For a proxy that is known to have the address and username. */
  *#replaceLogin(proxy: AddressedProxy, login: Login, { replacesFingerprint }: Known): Steps<M, void> {
    yield this.#parts.credentials.add(proxy, login);
    if (replacesFingerprint)
      yield this.#parts.identities.replacePassword(proxy.id, yield* this.#parts.identities.of(proxy, login));
  }

  /** Sets what is not null, if that is a change. */
  #describe(params: Params): Result<M, number> {
    return this.db.run(
      `UPDATE proxies SET
         name = coalesce(:name, name),
         region = coalesce(:region, region),
         geolocation_json = coalesce(:geolocation_json, geolocation_json),
         remote_dns = coalesce(:remote_dns, remote_dns),
         weight = coalesce(:weight, weight),
         gateway = coalesce(:gateway, gateway),
         revision = ${NEXT_REVISION},
         updated_at = :now
       WHERE id = :id AND (
         remote_dns <> coalesce(:remote_dns, remote_dns)
         OR weight <> coalesce(:weight, weight)
         OR gateway <> coalesce(:gateway, gateway)
         OR name <> coalesce(:name, name)
         OR coalesce(region, '') <> coalesce(:region, region, '')
         OR coalesce(geolocation_json, '') <> coalesce(:geolocation_json, geolocation_json, ''))`,
      params,
    );
  }

  /** Sets what is not null and the proxy does not have. */
  #fillIn(params: Params): Result<M, number> {
    return this.db.run(
      `UPDATE proxies SET
         name = CASE WHEN name = :default_name THEN coalesce(:name, name) ELSE name END,
         region = coalesce(region, :region),
         geolocation_json = coalesce(geolocation_json, :geolocation_json),
         revision = ${NEXT_REVISION},
         updated_at = :now
       WHERE id = :id AND (
         (name = :default_name AND name <> coalesce(:name, name))
         OR coalesce(region, '') <> coalesce(region, :region, '')
         OR coalesce(geolocation_json, '') <> coalesce(geolocation_json, :geolocation_json, ''))`,
      params,
    );
  }
}
