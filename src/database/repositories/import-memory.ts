import { Spool } from '../../files/spool.ts';
import type { ProxyInput } from '../../model/proxy.ts';
import { IdNumbers } from './id-numbers.ts';
import type { ProxyIdentity } from './proxy-record.ts';

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
  /** The id of the one proxy that the pool has with its address and username; null if there are several. */
  only: string | null;
}

/**
 * What an import must remember of a list, so that the order of its lines does not matter: which proxies it found or added, and
 * the entries that are not decided. That takes about 20 bytes for each proxy, and as many for each that may get a new password; the
 * entries go to a temporary file, encrypted.
 */
export class ImportMemory implements Disposable {
  /** How many entries were read. */
  read = 0;
  /** Addresses with proxies of unknown identity, whose logins the import has looked at. */
  readonly lookedAt = new Set<string>();
  /** The places in the list of the entries whose change-IP URL could not be stored. */
  readonly urlsLeftOut: number[] = [];
  readonly #undecided = new Spool<Undecided>();
  /** 1 for a proxy that was found or added. */
  readonly #found = new IdNumbers(Uint8Array);
  /** The one password that entries have for a proxy. */
  readonly #replacements = new IdNumbers(Float64Array);

  get undecided(): number {
    return this.#undecided.count;
  }

  /** The list has this proxy, by its password, or has added it. */
  find(id: string): void {
    this.#found.set(id, 1);
  }

  /** Whether an earlier entry was this proxy. */
  isFound(id: string): boolean {
    return this.#found.get(id) === 1;
  }

  /** Puts an entry off to the end of the list. */
  putOff(entry: Undecided): void {
    this.#undecided.push(entry);
    const { only, identity } = entry;
    if (only === null) return;
    const password = toNumber(identity.password_fingerprint);
    const earlier = this.#replacements.get(only);
    this.#replacements.set(only, earlier === 0 || earlier === password ? password : SEVERAL);
  }

  /** Whether the whole list has one password for this proxy, and not the one that is stored. */
  isReplaced(id: string): boolean {
    return !this.isFound(id) && this.#replacements.get(id) !== SEVERAL;
  }

  /** The entries that were put off, in the order of the list. */
  entries(): Iterable<Undecided> {
    return this.#undecided.read();
  }

  [Symbol.dispose](): void {
    this.#undecided[Symbol.dispose]();
  }
}
