import { re2 } from '../../model/rules/re2.ts';

/** As many as bits of a number. Larger groups take longer: their state machine no longer fits into its memory. */
const GROUP = 32;
const GROUP_BYTES = 1 << 20;
const MOST_TEXTS = 16;

/** Whether some part of a text matches a regular expression. */
export type TextTest = (text: string) => boolean;

/**
 * The regular expressions of many rules. Those that look at the same fact are matched together, 32 in one pass over the text:
 * a thousand one by one take milliseconds, and so a small part of that.
 */
export class Patterns {
  readonly #open = new Map<string, PatternGroup>();

  /** @param fact which text it is that the pattern is compared with, such as the field. */
  add(pattern: string, { fact, caseSensitive }: { fact: string; caseSensitive: boolean }): TextTest {
    const key = `${fact} ${caseSensitive}`;
    const open = this.#open.get(key);
    const group = open === undefined || open.isFull ? new PatternGroup(caseSensitive) : open;
    this.#open.set(key, group);
    return group.add(pattern);
  }
}

class PatternGroup {
  readonly #flags: number;
  readonly #patterns: string[] = [];
  /** For the texts seen last, one bit for each pattern that matches. */
  readonly #seen = new Map<string, number>();
  #last: string | undefined;
  #lastBits = 0;
  #match: ((text: string) => number) | undefined;

  constructor(caseSensitive: boolean) {
    this.#flags = caseSensitive ? 0 : re2().RE2JS.CASE_INSENSITIVE;
  }

  get isFull(): boolean {
    return this.#patterns.length === GROUP;
  }

  add(pattern: string): TextTest {
    const bit = 1 << this.#patterns.length;
    this.#patterns.push(pattern);
    return (text) => (this.#bitsOf(text) & bit) !== 0;
  }

  #bitsOf(text: string): number {
    if (text === this.#last) return this.#lastBits;
    const bits = this.#seen.get(text) ?? this.#look(text);
    this.#last = text;
    this.#lastBits = bits;
    return bits;
  }

  #look(text: string): number {
    this.#match ??= this.#compile();
    const bits = this.#match(text);
    if (this.#seen.size === MOST_TEXTS) this.#seen.clear();
    this.#seen.set(text, bits);
    return bits;
  }

  #compile(): (text: string) => number {
    const { RE2JS, RE2Set } = re2();
    const [only = '', second] = this.#patterns;
    if (second === undefined) {
      const pattern = RE2JS.compile(only, this.#flags);
      return (text) => Number(pattern.test(text));
    }
    const set = new RE2Set(RE2Set.UNANCHORED, this.#flags, GROUP_BYTES);
    for (const pattern of this.#patterns) set.add(pattern);
    return (text) => set.match(text).reduce((bits, index) => bits | (1 << index), 0);
  }
}
