import type { ImportSummary } from '../database/repositories/index.ts';
import type { ListVerdict, RefusalCode } from '../lists/index.ts';

/** So many refusals are kept; `onRefused` gets all. */
const MOST_REFUSALS = 10_000;

/** A line or record that was refused, its credentials masked. */
export interface Refusal {
  /** The name of the list, where there are several. */
  file?: string;
  line: number;
  column: number;
  code: RefusalCode;
  /** For a person; never holds the line's text. */
  reason: string;
  text: string;
}

/** What an import did, line by line. */
export interface ImportResult extends ImportSummary {
  /** Lines, or records of JSON. */
  lines: number;
  comments: number;
  blank: number;
  /** The first 10,000 refusals. */
  refused: Refusal[];
  /** How many more refusals there were; absent if none. */
  refusedMore?: number;
  /** What is worth knowing of proxies that were taken, and of how many; absent if there is nothing. */
  notes?: Record<string, number>;
  /** Nothing was changed: this is what would have been. */
  dryRun?: true;
}

/** Counts verdicts. */
export class VerdictCounter {
  lines = 0;
  comments = 0;
  blank = 0;
  proxies = 0;
  /** Whether a list is none, or ends in its middle. */
  isIncomplete = false;
  readonly refused: Refusal[] = [];
  readonly #onRefused: ((refusal: Refusal) => void) | undefined;
  readonly #notes = new Map<string, number>();
  #more = 0;

  constructor(onRefused?: (refusal: Refusal) => void) {
    this.#onRefused = onRefused;
  }

  add(verdict: ListVerdict, file?: string): void {
    this.lines++;
    if (verdict.kind === 'comment') this.comments++;
    else if (verdict.kind === 'blank') this.blank++;
    else if (verdict.kind === 'proxy') this.#addProxy(verdict.notes);
    else this.#addRefusal(verdict, file);
  }

  result(summary: ImportSummary): ImportResult {
    const { lines, comments, blank, refused } = this;
    return {
      lines,
      ...summary,
      comments,
      blank,
      refused,
      ...(this.#more > 0 ? { refusedMore: this.#more } : {}),
      ...(this.#notes.size > 0 ? { notes: Object.fromEntries(this.#notes) } : {}),
    };
  }

  #addProxy(notes: readonly string[]): void {
    this.proxies++;
    for (const note of notes) this.#notes.set(note, (this.#notes.get(note) ?? 0) + 1);
  }

  #addRefusal(verdict: Extract<ListVerdict, { kind: 'refused' }>, file: string | undefined): void {
    const { line, column, code, reason, text } = verdict;
    const refusal = { ...(file === undefined ? {} : { file }), line, column, code, reason, text };
    this.isIncomplete ||= code === 'not-a-list' || code === 'truncated';
    this.#onRefused?.(refusal);
    if (this.refused.length < MOST_REFUSALS) this.refused.push(refusal);
    else this.#more++;
  }
}
