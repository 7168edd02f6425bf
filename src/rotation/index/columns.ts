import {
  MAX_WEIGHT,
  PROXY_PROTOCOLS,
  PROXY_STATUSES,
  type ProxyProtocol,
  type ProxyStatus,
} from '../../model/proxy.ts';
import { Addresses } from './addresses.ts';
import { type Filter, lettersOf } from './filter.ts';
import { grown } from './grown.ts';
import { COUNTRY, RECORD, REGION, type Records, SMALL, TAGS } from './records.ts';
import { Texts } from './texts.ts';

/** What filters look at, and where a proxy is. */
export interface Described {
  id: string;
  /** Null if it is called by its address. */
  name: string | null;
  protocol: ProxyProtocol;
  host: string;
  port: number;
  status: ProxyStatus;
  region: string | null;
  /** Two capital letters of ISO 3166-1. */
  country: string | null;
  remoteDns: boolean;
  tags: readonly string[];
  weight: number;
  /** Whether it gives each session another exit. */
  gateway: boolean;
  /** Whether a request by it has ever succeeded. */
  isProven: boolean;
}

/** One part of a filter. */
export interface Question {
  /** As it is shown: "country DE". */
  what: string;
  passes: (slot: number) => boolean;
}

/** A column has 32 bits for a weight. Less would be 0, and never chosen even if there is nothing else. */
const LEAST_WEIGHT = 1e-30;
/** The small numbers in one of the record, after the port: two of four bits. A status is from 1: 0 is a free slot. */
const [PROTOCOL, STATUS] = [16, 20] as const;
/** Then come single bits. */
const [LOCAL_DNS, OUT, RETURNING, GATEWAY, NAMED, PROVEN] = [24, 25, 26, 27, 28, 29] as const;
const STATUS_BITS = 0xf << STATUS;
const ACTIVE = (PROXY_STATUSES.indexOf('active') + 1) << STATUS;
const FAILED = (PROXY_STATUSES.indexOf('failed') + 1) << STATUS;
/** What a change of the proxy leaves as it was. */
const KEPT = (1 << OUT) | (1 << RETURNING) | (1 << PROVEN);

const FIRST_COUNTRY = lettersOf('AA');
/** The country of each number; a text that is there already takes no time. With gaps the array would be a hash table. */
const COUNTRIES = new Array<string | undefined>(lettersOf('ZZ') - FIRST_COUNTRY + 1).fill(undefined);

function countryOf(number: number): string {
  COUNTRIES[number - FIRST_COUNTRY] ??= String.fromCharCode(number >> 8, number & 255);
  return COUNTRIES[number - FIRST_COUNTRY] as string;
}

function bit(place: number, isSet: boolean): number {
  return isSet ? 1 << place : 0;
}

function isUsable(word: number): boolean {
  const status = word & STATUS_BITS;
  return status === ACTIVE || (status === FAILED && (word & (1 << RETURNING)) !== 0);
}

/** What filters look at, by slot. */
export class Columns {
  readonly addresses: Addresses;
  readonly #records: Records;
  readonly #regions = new Texts();
  readonly #tags = new Texts();
  /** The sets of tags that proxies have, each once, as numbers of tags. */
  readonly #sets = new Texts();
  readonly #tagsOf: (readonly string[])[] = [[]];
  /** Of the proxies that somebody has named. */
  readonly #names = new Map<number, string>();
  /** A column of its own, since a weighted choice may read many of them. */
  weight: Float32Array;

  constructor(records: Records, capacity: number) {
    this.#records = records;
    this.addresses = new Addresses(records);
    this.weight = new Float32Array(capacity);
  }

  grow(capacity: number): void {
    this.weight = grown(this.weight, capacity);
  }

  set(slot: number, proxy: Described): void {
    const { whole } = this.#records;
    this.addresses.set(slot, proxy.id, proxy);
    if (proxy.name === null) this.#names.delete(slot);
    else this.#names.set(slot, proxy.name);
    const protocol = PROXY_PROTOCOLS.indexOf(proxy.protocol) << PROTOCOL;
    const status = (PROXY_STATUSES.indexOf(proxy.status) + 1) << STATUS;
    const flags =
      bit(LOCAL_DNS, !proxy.remoteDns) |
      bit(GATEWAY, proxy.gateway) |
      bit(NAMED, proxy.name !== null) |
      bit(PROVEN, proxy.isProven);
    const before = this.#word(slot, SMALL);
    const kept = (before & STATUS_BITS) === 0 ? 0 : before & KEPT;
    whole[slot * RECORD + SMALL] = proxy.port | protocol | status | flags | kept;
    whole[slot * RECORD + COUNTRY] = lettersOf(proxy.country);
    whole[slot * RECORD + REGION] = this.#regions.add(proxy.region);
    whole[slot * RECORD + TAGS] = this.#setOf(proxy.tags);
    this.weight[slot] = Math.min(Math.max(proxy.weight, LEAST_WEIGHT), MAX_WEIGHT);
  }

  clear(slot: number): void {
    this.#records.whole[slot * RECORD + SMALL] = 0;
    this.addresses.clear(slot);
    this.#names.delete(slot);
  }

  id(slot: number): string {
    return this.addresses.id(slot);
  }

  host(slot: number): string {
    return this.addresses.host(slot);
  }

  /** As it was named, else its address. */
  name(slot: number): string {
    return this.#is(slot, NAMED) ? (this.#names.get(slot) as string) : this.addresses.address(slot);
  }

  port(slot: number): number {
    return this.#word(slot, SMALL) & 0xffff;
  }

  protocol(slot: number): ProxyProtocol {
    return PROXY_PROTOCOLS[this.#small(slot, PROTOCOL)] as ProxyProtocol;
  }

  /** Null for a slot that is free. */
  status(slot: number): ProxyStatus | null {
    return PROXY_STATUSES[this.#small(slot, STATUS) - 1] ?? null;
  }

  remoteDns(slot: number): boolean {
    return !this.#is(slot, LOCAL_DNS);
  }

  country(slot: number): string | null {
    const number = this.#word(slot, COUNTRY);
    return number === 0 ? null : countryOf(number);
  }

  region(slot: number): string | null {
    return this.#regions.at(this.#word(slot, REGION));
  }

  tags(slot: number): readonly string[] {
    return this.#tagsOf[this.#word(slot, TAGS)] as readonly string[];
  }

  /** Whether it is active, or failed and returning. */
  isUsable(slot: number): boolean {
    return isUsable(this.#word(slot, SMALL));
  }

  /** Whether it is usable and not out. */
  isReady(slot: number): boolean {
    const word = this.#word(slot, SMALL);
    return (word & (1 << OUT)) === 0 && isUsable(word);
  }

  /** Whether it must not be handed out now, whatever its status. */
  isOut(slot: number): boolean {
    return this.#is(slot, OUT);
  }

  /** Says whether that was otherwise. */
  setOut(slot: number, isOut: boolean): boolean {
    return this.#setBit(slot, OUT, isOut);
  }

  /** Says whether that was otherwise. */
  setReturning(slot: number, isReturning: boolean): boolean {
    return this.#setBit(slot, RETURNING, isReturning);
  }

  isGateway(slot: number): boolean {
    return this.#is(slot, GATEWAY);
  }

  isProven(slot: number): boolean {
    return this.#is(slot, PROVEN);
  }

  setProven(slot: number, isProven: boolean): void {
    this.#setBit(slot, PROVEN, isProven);
  }

  /** Grows when a region or a set of tags comes up for the first time: the questions of a filter must then be made again. */
  get vocabulary(): number {
    return this.#regions.size + this.#tagsOf.length;
  }

  /** The parts of a filter, all of which a proxy must pass. */
  questions(filter: Filter): Question[] {
    const { protocol, country, region, places, tags = [], notCountries = [], notTags = [] } = filter;
    const questions: Question[] = [];
    const ask = (what: string, passes: (slot: number) => boolean): void => {
      questions.push({ what, passes });
    };
    if (protocol !== undefined) {
      const wanted = PROXY_PROTOCOLS.indexOf(protocol);
      ask(`protocol ${protocol}`, (slot) => this.#small(slot, PROTOCOL) === wanted);
    }
    if (country !== undefined) {
      const wanted = lettersOf(country);
      ask(`country ${country}`, (slot) => this.#word(slot, COUNTRY) === wanted);
    }
    if (region !== undefined) {
      const wanted = this.#regions.numberOf(region);
      ask(`region ${region}`, (slot) => this.#word(slot, REGION) === wanted);
    }
    if (places !== undefined) {
      const regions = new Set(places.map((place) => this.#regions.numberOf(place)));
      const countries = new Set(
        places.filter((place) => /^[a-z]{2}$/i.test(place)).map((place) => lettersOf(place.toUpperCase())),
      );
      ask(
        `place ${places.join(' or ')}`,
        (slot) => regions.has(this.#word(slot, REGION)) || countries.has(this.#word(slot, COUNTRY)),
      );
    }
    for (const tag of tags) {
      const having = this.#setsWith(tag);
      ask(`tag ${tag}`, (slot) => having[this.#word(slot, TAGS)] === 1);
    }
    for (const each of notCountries) {
      const unwanted = lettersOf(each);
      ask(`not country ${each}`, (slot) => this.#word(slot, COUNTRY) !== unwanted);
    }
    for (const tag of notTags) {
      const having = this.#setsWith(tag);
      ask(`not tag ${tag}`, (slot) => having[this.#word(slot, TAGS)] !== 1);
    }
    return questions;
  }

  #word(slot: number, place: number): number {
    return this.#records.whole[slot * RECORD + place] as number;
  }

  #small(slot: number, place: number): number {
    return (this.#word(slot, SMALL) >>> place) & 0xf;
  }

  #is(slot: number, place: number): boolean {
    return ((this.#word(slot, SMALL) >>> place) & 1) === 1;
  }

  /** Says whether it was otherwise. A free slot has no bits. */
  #setBit(slot: number, place: number, isSet: boolean): boolean {
    const word = this.#word(slot, SMALL);
    if (((word >>> place) & 1) === (isSet ? 1 : 0) || (word & STATUS_BITS) === 0) return false;
    this.#records.whole[slot * RECORD + SMALL] = word ^ (1 << place);
    return true;
  }

  /** Which sets of tags have one, by their numbers. */
  #setsWith(tag: string): Uint8Array {
    return Uint8Array.from(this.#tagsOf, (tags) => (tags.includes(tag) ? 1 : 0));
  }

  #setOf(tags: readonly string[]): number {
    if (tags.length === 0) return 0;
    const sorted = [...tags].sort();
    const number = this.#sets.add(sorted.map((tag) => this.#tags.add(tag)).join(' '));
    this.#tagsOf[number] ??= Object.freeze(sorted);
    return number;
  }
}
