import { PROXY_PROTOCOLS, PROXY_STATUSES, type ProxyProtocol, type ProxyStatus } from '../../model/proxy.ts';
import type { Filter } from './filter.ts';
import { grown } from './grown.ts';
import { Texts } from './texts.ts';

/** What filters look at, and how a proxy is called. */
export interface Described {
  id: string;
  /** Null if it is `host:port`. */
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

const ACTIVE = PROXY_STATUSES.indexOf('active');
const GONE = 255;
/** Two letters as one number: no country of a filter is 0, which is a country that is not known. */
const letters = (country: string | null): number =>
  country === null ? 0 : country.charCodeAt(0) * 256 + country.charCodeAt(1);

/** What filters look at, by slot, in columns. A million proxies take about 130 MB here, most of it ids and hosts. */
export class Columns {
  readonly #regions = new Texts();
  readonly #tags = new Texts();
  /** The sets of tags that proxies have, each once, as numbers of tags. */
  readonly #sets = new Texts();
  readonly #tagsOf: (readonly string[])[] = [[]];
  readonly #ids: string[] = [];
  readonly #hosts: string[] = [];
  /** Only of proxies whose name is not their address. */
  readonly #names = new Map<number, string>();
  #ports: Uint16Array;
  #protocol: Uint8Array;
  #status: Uint8Array;
  #localDns: Uint8Array;
  #country: Uint16Array;
  #region: Uint32Array;
  #tagSet: Uint32Array;
  weight: Float32Array;

  constructor(capacity: number) {
    this.#ports = new Uint16Array(capacity);
    this.#protocol = new Uint8Array(capacity);
    this.#status = new Uint8Array(capacity).fill(GONE);
    this.#localDns = new Uint8Array(capacity);
    this.#country = new Uint16Array(capacity);
    this.#region = new Uint32Array(capacity);
    this.#tagSet = new Uint32Array(capacity);
    this.weight = new Float32Array(capacity);
  }

  grow(capacity: number): void {
    const had = this.#status.length;
    this.#ports = grown(this.#ports, capacity);
    this.#protocol = grown(this.#protocol, capacity);
    this.#status = grown(this.#status, capacity).fill(GONE, had);
    this.#localDns = grown(this.#localDns, capacity);
    this.#country = grown(this.#country, capacity);
    this.#region = grown(this.#region, capacity);
    this.#tagSet = grown(this.#tagSet, capacity);
    this.weight = grown(this.weight, capacity);
  }

  set(slot: number, proxy: Described): void {
    this.#ids[slot] = proxy.id;
    this.#hosts[slot] = proxy.host;
    if (proxy.name === null) this.#names.delete(slot);
    else this.#names.set(slot, proxy.name);
    this.#ports[slot] = proxy.port;
    this.#protocol[slot] = PROXY_PROTOCOLS.indexOf(proxy.protocol);
    this.#status[slot] = PROXY_STATUSES.indexOf(proxy.status);
    this.#localDns[slot] = proxy.remoteDns ? 0 : 1;
    this.#country[slot] = letters(proxy.country);
    this.#region[slot] = this.#regions.add(proxy.region);
    this.#tagSet[slot] = this.#setOf(proxy.tags);
    this.weight[slot] = proxy.weight;
  }

  clear(slot: number): void {
    this.#status[slot] = GONE;
    this.#ids[slot] = '';
    this.#hosts[slot] = '';
    this.#names.delete(slot);
  }

  id(slot: number): string {
    return this.#ids[slot] as string;
  }

  host(slot: number): string {
    return this.#hosts[slot] as string;
  }

  /** Null if it is `host:port`. */
  name(slot: number): string | null {
    return this.#names.get(slot) ?? null;
  }

  port(slot: number): number {
    return this.#ports[slot] as number;
  }

  protocol(slot: number): ProxyProtocol {
    return PROXY_PROTOCOLS[this.#protocol[slot] as number] as ProxyProtocol;
  }

  /** Null for a slot that is free. */
  status(slot: number): ProxyStatus | null {
    return PROXY_STATUSES[this.#status[slot] as number] ?? null;
  }

  remoteDns(slot: number): boolean {
    return this.#localDns[slot] === 0;
  }

  country(slot: number): string | null {
    const number = this.#country[slot] as number;
    return number === 0 ? null : String.fromCharCode(number >> 8, number & 255);
  }

  region(slot: number): string | null {
    return this.#regions.at(this.#region[slot] as number);
  }

  tags(slot: number): readonly string[] {
    return this.#tagsOf[this.#tagSet[slot] as number] as readonly string[];
  }

  isActive(slot: number): boolean {
    return this.#status[slot] === ACTIVE;
  }

  /** Grows when a region or a set of tags comes up for the first time: the questions of a filter must then be made again. */
  get vocabulary(): number {
    return this.#regions.size + this.#tagsOf.length;
  }

  /** The parts of a filter, all of which a proxy must pass. */
  questions(filter: Filter): Question[] {
    const { protocol, country, region, place, tags = [], notCountries = [], notTags = [] } = filter;
    const questions: Question[] = [];
    const ask = (what: string, passes: (slot: number) => boolean): void => {
      questions.push({ what, passes });
    };
    if (protocol !== undefined) {
      const wanted = PROXY_PROTOCOLS.indexOf(protocol);
      ask(`protocol ${protocol}`, (slot) => this.#protocol[slot] === wanted);
    }
    if (country !== undefined) {
      const wanted = letters(country);
      ask(`country ${country}`, (slot) => this.#country[slot] === wanted);
    }
    if (region !== undefined) {
      const wanted = this.#regions.numberOf(region);
      ask(`region ${region}`, (slot) => this.#region[slot] === wanted);
    }
    if (place !== undefined) {
      const asRegion = this.#regions.numberOf(place);
      const asCountry = /^[A-Z]{2}$/.test(place) ? letters(place) : -1;
      ask(`place ${place}`, (slot) => this.#region[slot] === asRegion || this.#country[slot] === asCountry);
    }
    for (const tag of tags) {
      const having = this.#setsWith(tag);
      ask(`tag ${tag}`, (slot) => having[this.#tagSet[slot] as number] === 1);
    }
    for (const each of notCountries) {
      const unwanted = letters(each);
      ask(`not country ${each}`, (slot) => this.#country[slot] !== unwanted);
    }
    for (const tag of notTags) {
      const having = this.#setsWith(tag);
      ask(`not tag ${tag}`, (slot) => having[this.#tagSet[slot] as number] !== 1);
    }
    return questions;
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
