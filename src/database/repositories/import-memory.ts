import { Spool } from '../../files/spool.ts';
import type { ProxyInput } from '../../model/proxy.ts';
import type { SqlValue } from '../drivers/driver.ts';
import type { ProxyIdentity } from './proxy-record.ts';

/** The positions of proxies, a bit each. */
class Positions {
  readonly #chunks = new Map<number, Uint32Array>();

  add(position: number): void {
    const key = Math.floor(position / CHUNK);
    const chunk = this.#chunks.get(key) ?? new Uint32Array(CHUNK / 32);
    this.#chunks.set(key, chunk);
    const bit = position - key * CHUNK;
    chunk[bit >>> 5] = (chunk[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  has(position: number): boolean {
    const key = Math.floor(position / CHUNK);
    const bit = position - key * CHUNK;
    return (((this.#chunks.get(key)?.[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }
}

const CHUNK = 65_536;

/** Which one password entries have for a proxy, by its position: 8 bytes each, where a Map takes 150. */
class Replacements {
  readonly #chunks = new Map<number, Float64Array>();

  add(position: number, passwordFingerprint: string): void {
    const key = Math.floor(position / PASSWORDS);
    const chunk = this.#chunks.get(key) ?? new Float64Array(PASSWORDS);
    this.#chunks.set(key, chunk);
    const at = position - key * PASSWORDS;
    const password = toNumber(passwordFingerprint);
    if (chunk[at] === NONE) chunk[at] = password;
    else if (chunk[at] !== password) chunk[at] = SEVERAL;
  }

  isOne(position: number): boolean {
    const key = Math.floor(position / PASSWORDS);
    return this.#chunks.get(key)?.[position - key * PASSWORDS] !== SEVERAL;
  }
}

const PASSWORDS = 1024;
const NONE = 0;
const SEVERAL = -1;

/** 48 bits of a fingerprint, which tell the few passwords of one proxy apart; a hidden password is 1. */
function toNumber(fingerprint: string): number {
  return fingerprint === '' ? 1 : 2 + Buffer.from(fingerprint, 'base64url').readUIntBE(0, 6);
}

/** An entry of a list that can be placed only once the whole list is known. */
export interface Undecided {
  /** Its place in the list, from 0. */
  index: number;
  input: ProxyInput;
  identity: ProxyIdentity;
  /** The one proxy that the pool has with its address and username; null if there are several. */
  only: { id: string; position: number } | null;
}

/**
 * What an import must remember of a list until its end, so that the order of its lines does not matter: which proxies of
 * the pool it found or added, and the entries that are not decided. Memory hardly grows with the list: a bit for each proxy, 8
 * bytes for each that may get a new password, and the entries go to a temporary file, encrypted.
 */
export class ImportMemory implements Disposable {
  /** How many entries were read. */
  read = 0;
  /** Addresses with proxies of unknown identity, whose logins the import has looked at. */
  readonly lookedAt = new Set<string>();
  /** The places in the list of the entries whose change-IP URL could not be stored. */
  readonly urlsLeftOut: number[] = [];
  readonly #found = new Positions();
  readonly #undecided = new Spool<Undecided>();
  readonly #replacements = new Replacements();

  get undecided(): number {
    return this.#undecided.count;
  }

  /** The list has this proxy, by its password, or has added it. */
  find(position: SqlValue): void {
    if (Number.isSafeInteger(position)) this.#found.add(Number(position));
  }

  /** A malformed position cannot be remembered: its proxy counts as found, so that nothing replaces its password. */
  isFound(position: SqlValue): boolean {
    return !Number.isSafeInteger(position) || this.isRepeated(position);
  }

  /** Whether an earlier entry was this proxy. */
  isRepeated(position: SqlValue): boolean {
    return Number.isSafeInteger(position) && this.#found.has(Number(position));
  }

  /** Puts an entry off to the end of the list. */
  putOff(entry: Undecided): void {
    this.#undecided.push(entry);
    if (entry.only) this.#replacements.add(entry.only.position, entry.identity.password_fingerprint);
  }

  /** Whether the whole list has one password for this proxy, and not the one that is stored. */
  isReplaced({ position }: { position: number }): boolean {
    return !this.isFound(position) && this.#replacements.isOne(position);
  }

  /** The entries that were put off, in the order of the list. */
  entries(): Iterable<Undecided> {
    return this.#undecided.read();
  }

  [Symbol.dispose](): void {
    this.#undecided[Symbol.dispose]();
  }
}
