import type { ImportSummary } from '../database/repositories/index.ts';
import type { ListVerdict, RefusalCode } from '../lists/index.ts';
import { invalidInput } from '../model/validation.ts';
import type { Removal } from './removal.ts';

/** How many rejections are kept; `onRefused` gets all. */
const MOST_REFUSALS = 10_000;

/** How many notes are kept, and lines of each. */
const MOST_NOTES = 300;
const MOST_NOTE_LINES = 10;

/** A line or record that was rejected. */
export interface Refusal {
  /** The name of the list, where there are several. */
  file?: string;
  line: number;
  column: number;
  code: RefusalCode;
  /** For a person; never holds the line's text. */
  reason: string;
  /** The line or record, in full or with `***` in place of all that may be a login. */
  text: string;
}

/** The line of a proxy with a note. */
export interface NotePlace {
  /** The name of the list, where there are several. */
  file?: string;
  line: number;
}

/** What an import did, line by line. */
export interface ImportResult extends ImportSummary {
  /** Lines, or records of JSON. */
  lines: number;
  comments: number;
  blank: number;
  /** How many proxies a sync removed from the pool: they left the list and had no other tag. Absent if it was no sync. */
  removed?: number;
  /** What left the list; absent if nothing did, or it was no sync. In a dry run `stopped` says that a real run would fail. */
  removal?: Removal;
  /** The first 10,000 rejections. */
  refused: Refusal[];
  /** How many more rejections there were; absent if none. */
  refusedMore?: number;
  /** What is worth knowing of proxies that were taken, and of how many: the first 300 notes. Absent if there are no notes. */
  notes?: Record<string, number>;
  /** The first 10 lines of each of these notes. */
  noteLines?: Record<string, NotePlace[]>;
  /** How often proxies had other notes than those 300; absent if never. */
  notesMore?: number;
  /** Nothing was changed: this is what would have been. */
  dryRun?: true;
}

/** Counts verdicts. */
export class VerdictCounter {
  lines = 0;
  comments = 0;
  blank = 0;
  proxies = 0;
  /** The first rejection of what is not a list, is empty, or is cut off. */
  broken: Refusal | undefined;
  readonly refused: Refusal[] = [];
  /** How many lists have neither a proxy nor a rejected line. */
  #emptyLists = 0;
  /** The first line of the list that is being read, and how much was found before it. */
  #listFrom = { lines: 0, found: 0 };
  readonly #onRefused: ((refusal: Refusal) => void) | undefined;
  readonly #notes = new Map<string, { count: number; places: NotePlace[] }>();
  #notesMore = 0;
  #more = 0;

  constructor(onRefused?: (refusal: Refusal) => void) {
    this.#onRefused = onRefused;
  }

  add(verdict: ListVerdict, file?: string): void {
    this.lines++;
    if (verdict.kind === 'comment') this.comments++;
    else if (verdict.kind === 'blank') this.blank++;
    else if (verdict.kind === 'proxy') this.#addProxy(verdict, file);
    else this.#addRefusal(verdict, file);
  }

  /** Counts a note about a proxy of this line. */
  addNote(note: string, line: number, file: string | undefined): void {
    const known = this.#notes.get(note);
    if (known) known.count++;
    else if (this.#notes.size < MOST_NOTES) this.#notes.set(note, { count: 1, places: [] });
    else this.#notesMore++;
    addPlace(this.#notes.get(note)?.places, line, file);
  }

  /** Ends a list. If it is one of several and empty, it is rejected by name; else see `assertNotEmpty`. */
  endList(file?: string): void {
    const found = this.proxies + this.#rejected;
    if (found === this.#listFrom.found) {
      this.#emptyLists++;
      const reason = `the list ${emptiness(this.lines - this.#listFrom.lines)}`;
      if (file !== undefined)
        this.#addRefusal({ kind: 'refused', code: 'not-a-list', reason, line: 1, column: 1, text: '' }, file);
    }
    this.#listFrom = { lines: this.lines, found: this.proxies + this.#rejected };
  }

  /** @throws INVALID_INPUT if there is neither a proxy nor a rejected line, as after a download that failed. */
  assertNotEmpty(): void {
    if (this.proxies > 0 || this.#rejected > this.#emptyLists) return;
    const what = this.#emptyLists < 2 ? 'The list' : `Each of the ${this.#emptyLists} lists`;
    throw invalidInput(
      `${what} ${emptiness(this.lines)}, so there is nothing to import. If it was downloaded, check the download.`,
    );
  }

  result(summary: ImportSummary & { removed?: number }, removal?: Removal): ImportResult {
    const { lines, comments, blank, refused } = this;
    return {
      lines,
      ...summary,
      ...(removal && removal.leaving > 0 ? { removal } : {}),
      comments,
      blank,
      refused,
      ...(this.#more > 0 ? { refusedMore: this.#more } : {}),
      ...this.#notesOf(),
    };
  }

  get #rejected(): number {
    return this.refused.length + this.#more;
  }

  #notesOf(): Pick<ImportResult, 'notes' | 'noteLines' | 'notesMore'> {
    if (this.#notes.size === 0) return {};
    const all = [...this.#notes];
    return {
      notes: Object.fromEntries(all.map(([note, { count }]) => [note, count])),
      noteLines: Object.fromEntries(all.map(([note, { places }]) => [note, places])),
      ...(this.#notesMore > 0 ? { notesMore: this.#notesMore } : {}),
    };
  }

  #addProxy({ notes, line }: Extract<ListVerdict, { kind: 'proxy' }>, file: string | undefined): void {
    this.proxies++;
    for (const note of notes) this.addNote(note, line, file);
  }

  #addRefusal(verdict: Extract<ListVerdict, { kind: 'refused' }>, file: string | undefined): void {
    const { line, column, code, reason, text } = verdict;
    const refusal = { ...(file === undefined ? {} : { file }), line, column, code, reason, text };
    if (code === 'not-a-list' || code === 'truncated') this.broken ??= refusal;
    this.#onRefused?.(refusal);
    if (this.refused.length < MOST_REFUSALS) this.refused.push(refusal);
    else this.#more++;
  }
}

/** A line is named once, whatever number of its proxies have the note. */
function addPlace(places: NotePlace[] | undefined, line: number, file: string | undefined): void {
  if (places === undefined || places.length === MOST_NOTE_LINES) return;
  const last = places.at(-1);
  if (last?.line === line && last.file === file) return;
  places.push(file === undefined ? { line } : { file, line });
}

function emptiness(lines: number): string {
  return lines === 0 ? 'is empty' : 'has only blank lines, comments and headings';
}
