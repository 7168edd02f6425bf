import { withoutLogin } from '../../model/web-url.ts';
import type { LocalTime } from '../local-time.ts';
import { domainPart, wholeDomain } from './domain-forms.ts';
import { pathForm } from './path-form.ts';

/** What rules can ask about. A condition on a fact that is absent does not hold. */
export interface RuleFacts {
  domain?: string | null | undefined;
  url?: string | null | undefined;
  /** Taken from `url` unless given. */
  path?: string | null | undefined;
  protocol?: string | null | undefined;
  country?: string | null | undefined;
  region?: string | null | undefined;
  tags?: readonly string[] | null | undefined;
  session?: string | null | undefined;
  /** Milliseconds since 1970. */
  now: number;
  /** The proxy that was handed out last. */
  last?: { latency: number | null; successRate: number; failureCount: number } | null | undefined;
}

const FOLDED_FIELDS = ['url', 'path', 'protocol', 'country', 'region', 'session'] as const;
export type FoldedField = (typeof FOLDED_FIELDS)[number];

/** The facts of one request, each in the forms that conditions compare; worked out when the first condition asks. */
export class Facts {
  readonly #given: RuleFacts;
  readonly #clock: (now: number) => LocalTime;
  #domain: string | null | undefined;
  #domainText: string | null | undefined;
  #url: string | null | undefined;
  #path: string | null | undefined;
  #folded: Partial<Record<FoldedField, string | null>> | undefined;
  #foldedTags: readonly string[] | undefined;

  constructor(given: RuleFacts, clock: (now: number) => LocalTime) {
    this.#given = given;
    this.#clock = clock;
  }

  /** The domain in its stored form. */
  get domain(): string | null {
    if (this.#domain === undefined)
      this.#domain = isAbsent(this.#given.domain) ? null : wholeDomain(this.#given.domain);
    return this.#domain;
  }

  /** The domain in Unicode, for what compares a part of it. */
  get domainText(): string | null {
    if (this.#domainText === undefined)
      this.#domainText = this.domain === null ? null : domainPart(this.domain);
    return this.#domainText;
  }

  /** A text as it was given; a URL without its login, which is no part of what is asked for. */
  text(field: FoldedField): string | null {
    if (field === 'url') return this.#urlText();
    if (field === 'path') return this.#pathText();
    return this.#given[field] ?? null;
  }

  /** A text in small letters. */
  folded(field: FoldedField): string | null {
    this.#folded ??= {};
    const known = this.#folded[field];
    if (known !== undefined) return known;
    const text = this.text(field)?.toLowerCase() ?? null;
    this.#folded[field] = text;
    return text;
  }

  get tags(): readonly string[] {
    return this.#given.tags ?? [];
  }

  get foldedTags(): readonly string[] {
    this.#foldedTags ??= this.tags.map((tag) => tag.toLowerCase());
    return this.#foldedTags;
  }

  get hour(): number {
    return this.#clock(this.#given.now).hour;
  }

  get weekday(): number {
    return this.#clock(this.#given.now).weekday;
  }

  get last(): RuleFacts['last'] {
    return this.#given.last;
  }

  #urlText(): string | null {
    if (this.#url === undefined) this.#url = isAbsent(this.#given.url) ? null : withoutLogin(this.#given.url);
    return this.#url;
  }

  #pathText(): string | null {
    if (this.#path === undefined) this.#path = pathOf(this.#given);
    return this.#path;
  }
}

function pathOf({ path, url }: RuleFacts): string | null {
  const given = isAbsent(path) && !isAbsent(url) ? URL.parse(url)?.pathname : path;
  return isAbsent(given) ? null : pathForm(given);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
