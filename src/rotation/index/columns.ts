import {
  MAX_WEIGHT,
  PROXY_PROTOCOLS,
  PROXY_STATUSES,
  type ProxyProtocol,
  type ProxyStatus,
} from '../../model/proxy.ts';
import { type Filter, lettersOf } from './filter.ts';
import { grown } from './grown.ts';
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
}

/** One part of a filter. */
export interface Question {
  /** As it is shown: "country DE". */
  what: string;
  passes: (slot: number) => boolean;
}

const WORDS = 4;
/** A column has 32 bits for a weight. Less would be 0, and never chosen even if there is nothing else. */
const LEAST_WEIGHT = 1e-30;
/** The places of the country, the region and the tags among the words of a slot. */
const [COUNTRY, REGION, TAGS] = [1, 2, 3] as const;
/** Where the small numbers begin in the first word, four bits each; before them is the port. A status is from 1: 0 is a free slot. */
const SMALL = { protocol: 16, status: 20, localDns: 24, isIPv6: 28 } as const;
const ACTIVE = PROXY_STATUSES.indexOf('active') + 1;

/** There are few, and a text that is there already takes no time. */
const COUNTRIES: (string | undefined)[] = [];

function countryOf(number: number): string {
  COUNTRIES[number] ??= String.fromCharCode(number >> 8, number & 255);
  return COUNTRIES[number];
}

/** What filters look at, by slot, in columns. A million proxies take about 130 MB here, most of it ids and hosts. */
export class Columns {
  readonly #regions = new Texts();
  readonly #tags = new Texts();
  /** The sets of tags that proxies have, each once, as numbers of tags. */
  readonly #sets = new Texts();
  readonly #tagsOf: (readonly string[])[] = [[]];
  /** The id and the host of each slot, beside each other. */
  readonly #strings: string[] = [];
  /** Of the proxies that somebody has named. */
  readonly #names = new Map<number, string>();
  /**
   * WORDS numbers for each slot, beside each other, since a choice reads them all: what SMALL says, the country, and the numbers
   * of the region and of the set of tags.
   */
  #words: Uint32Array;
  weight: Float32Array;

  constructor(capacity: number) {
    this.#words = new Uint32Array(WORDS * capacity);
    this.weight = new Float32Array(capacity);
  }

  grow(capacity: number): void {
    this.#words = grown(this.#words, WORDS * capacity);
    this.weight = grown(this.weight, capacity);
  }

  set(slot: number, proxy: Described): void {
    this.#strings[2 * slot] = proxy.id;
    this.#strings[2 * slot + 1] = proxy.host;
    if (proxy.name === null) this.#names.delete(slot);
    else this.#names.set(slot, proxy.name);
    const protocol = PROXY_PROTOCOLS.indexOf(proxy.protocol) << SMALL.protocol;
    const status = (PROXY_STATUSES.indexOf(proxy.status) + 1) << SMALL.status;
    const localDns = (proxy.remoteDns ? 0 : 1) << SMALL.localDns;
    const isIPv6 = (proxy.host.includes(':') ? 1 : 0) << SMALL.isIPv6;
    this.#words[slot * WORDS] = proxy.port | protocol | status | localDns | isIPv6;
    this.#words[slot * WORDS + COUNTRY] = lettersOf(proxy.country);
    this.#words[slot * WORDS + REGION] = this.#regions.add(proxy.region);
    this.#words[slot * WORDS + TAGS] = this.#setOf(proxy.tags);
    this.weight[slot] = Math.min(Math.max(proxy.weight, LEAST_WEIGHT), MAX_WEIGHT);
  }

  clear(slot: number): void {
    this.#words[slot * WORDS] = 0;
    this.#strings[2 * slot] = '';
    this.#strings[2 * slot + 1] = '';
    this.#names.delete(slot);
  }

  id(slot: number): string {
    return this.#strings[2 * slot] as string;
  }

  host(slot: number): string {
    return this.#strings[2 * slot + 1] as string;
  }

  /** As it was named, else its address. */
  name(slot: number): string {
    const name = this.#names.get(slot);
    if (name !== undefined) return name;
    const host = this.host(slot);
    return `${this.#small(slot, SMALL.isIPv6) === 1 ? `[${host}]` : host}:${this.port(slot)}`;
  }

  port(slot: number): number {
    return this.#word(slot, 0) & 0xffff;
  }

  protocol(slot: number): ProxyProtocol {
    return PROXY_PROTOCOLS[this.#small(slot, SMALL.protocol)] as ProxyProtocol;
  }

  /** Null for a slot that is free. */
  status(slot: number): ProxyStatus | null {
    return PROXY_STATUSES[this.#small(slot, SMALL.status) - 1] ?? null;
  }

  remoteDns(slot: number): boolean {
    return this.#small(slot, SMALL.localDns) === 0;
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

  isActive(slot: number): boolean {
    return this.#small(slot, SMALL.status) === ACTIVE;
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
      ask(`protocol ${protocol}`, (slot) => this.#small(slot, SMALL.protocol) === wanted);
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
    return this.#words[slot * WORDS + place] as number;
  }

  #small(slot: number, place: number): number {
    return (this.#word(slot, 0) >>> place) & 0xf;
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
