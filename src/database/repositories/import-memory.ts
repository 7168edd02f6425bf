import { Spool } from '../../files/spool.ts';
import type { ProxyInput } from '../../model/proxy.ts';
import type { SqlValue } from '../drivers/driver.ts';
import type { ProxyIdentity } from './proxy-record.ts';

const CHUNK = 1024;

/** Numbers by index, 0 before they are set: in arrays of numbers, since a Map takes 150 bytes for each. */
class Numbers {
  readonly #chunks = new Map<number, Uint32Array | Float64Array>();
  readonly #Chunk: typeof Uint32Array | typeof Float64Array;

  constructor(Chunk: typeof Uint32Array | typeof Float64Array) {
    this.#Chunk = Chunk;
  }

  get(index: number): number {
    const key = Math.floor(index / CHUNK);
    return this.#chunks.get(key)?.[index - key * CHUNK] ?? 0;
  }

  set(index: number, value: number): void {
    const key = Math.floor(index / CHUNK);
    const chunk = this.#chunks.get(key) ?? new this.#Chunk(CHUNK);
    this.#chunks.set(key, chunk);
    chunk[index - key * CHUNK] = value;
  }
}

/** Entries have more than one password for a proxy. */
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
 * What an import must remember of a list, so that the order of its lines does not matter: which proxies it found or added, and
 * the entries that are not decided. That is a bit for each proxy, and 8 bytes for each that may get a new password; the entries
 * go to a temporary file, encrypted.
 */
export class ImportMemory implements Disposable {
  /** How many entries were read. */
  read = 0;
  /** Addresses with proxies of unknown identity, whose logins the import has looked at. */
  readonly lookedAt = new Set<string>();
  /** The places in the list of the entries whose change-IP URL could not be stored. */
  readonly urlsLeftOut: number[] = [];
  readonly #undecided = new Spool<Undecided>();
  /** A bit for each position of a proxy that was found or added, 32 in a number. */
  readonly #found = new Numbers(Uint32Array);
  /** By the position of a proxy, the one password that entries have for it. */
  readonly #replacements = new Numbers(Float64Array);

  get undecided(): number {
    return this.#undecided.count;
  }

  /** The list has this proxy, by its password, or has added it. */
  find(position: SqlValue): void {
    if (!Number.isSafeInteger(position)) return;
    const word = Math.floor(Number(position) / 32);
    this.#found.set(word, this.#found.get(word) | (1 << (Number(position) & 31)));
  }

  /** A malformed position cannot be remembered: its proxy counts as found, so that nothing replaces its password. */
  isFound(position: SqlValue): boolean {
    return !Number.isSafeInteger(position) || this.isRepeated(position);
  }

  /** Whether an earlier entry was this proxy. */
  isRepeated(position: SqlValue): boolean {
    if (!Number.isSafeInteger(position)) return false;
    const word = this.#found.get(Math.floor(Number(position) / 32));
    return ((word >>> (Number(position) & 31)) & 1) === 1;
  }

  /** Puts an entry off to the end of the list. */
  putOff(entry: Undecided): void {
    this.#undecided.push(entry);
    if (!entry.only) return;
    const { position } = entry.only;
    const password = toNumber(entry.identity.password_fingerprint);
    const earlier = this.#replacements.get(position);
    this.#replacements.set(position, earlier === 0 || earlier === password ? password : SEVERAL);
  }

  /** Whether the whole list has one password for this proxy, and not the one that is stored. */
  isReplaced({ position }: { position: number }): boolean {
    return !this.isFound(position) && this.#replacements.get(position) !== SEVERAL;
  }

  /** The entries that were put off, in the order of the list. */
  entries(): Iterable<Undecided> {
    return this.#undecided.read();
  }

  [Symbol.dispose](): void {
    this.#undecided[Symbol.dispose]();
  }
}
