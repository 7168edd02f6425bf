/** Gives each text a number, from 1 on, so that a column of texts is a column of numbers. 0 is no text. */
export class Texts {
  readonly #numbers = new Map<string, number>();
  readonly #texts: (string | null)[] = [null];

  /** The number of a text; a new one if it has none yet. */
  add(text: string | null): number {
    if (text === null) return 0;
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#texts.length);
    return this.#texts.push(text) - 1;
  }

  /** The number of a text; -1 if no proxy has it. */
  numberOf(text: string): number {
    return this.#numbers.get(text) ?? -1;
  }

  /** How many numbers there are, with that of no text. */
  get size(): number {
    return this.#texts.length;
  }

  at(number: number): string | null {
    return this.#texts[number] ?? null;
  }
}
