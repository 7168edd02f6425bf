import type { ParseOptions } from '../../options.ts';
import { schemesNamed } from '../../parts/scheme.ts';
import { fieldOf } from '../../record/field-names.ts';
import { UnreadNames } from '../../record/unread-names.ts';
import type { ListVerdict, RefusalCode } from '../../verdicts.ts';
import { LineCutter } from '../line-splitter.ts';
import { type ListReader, placed, rejected, tooLong } from '../list-reader.ts';
import { type FlowElement, FlowSplitter } from './flow-elements.ts';
import { isUnread, isWithoutProxies, namesProxies, type Setting, settingOf } from './keys.ts';
import { type EntryVerdicts, type HowToRead, readEntry, readProxiesInside } from './yaml-entry.ts';

/** No entry is longer; a longer one is rejected without being kept. */
const MAX_ENTRY = 16_384;

/** Whether what is read holds proxies: under `proxies:`, perhaps, or surely not. */
type Holds = 'proxies' | 'anything' | 'nothing';

/** A list whose entries begin with a dash. */
interface Block {
  holds: Holds;
  /** The indentation of its key; 0 without one. */
  key: number;
  /** The column of the dashes; undefined before the first. */
  indent: number | undefined;
}

/**
 * Reads the proxies of a Clash or Mihomo configuration, or of any YAML that lists them. It cuts entries apart by indentation
 * or brackets and reads each by itself: memory does not grow with the file, and a broken entry spoils no other.
 */
export class ClashReader implements ListReader {
  readonly #how: HowToRead;
  readonly #cutter = new LineCutter();
  #out: ListVerdict[] = [];
  #line = 0;
  #isNewLine = true;
  /** What has come of the line that is not complete; null if it is too long. */
  #open: string | null = '';
  #block: Block | null = null;
  #entry: { line: number; text: string | null; blanks: number } | null = null;
  #flow: { splitter: FlowSplitter; holds: Holds; line: number } | null = null;
  /** What has come of the line after a list in brackets; null if there is no such line. */
  #rest: 'blank' | 'text' | null = null;
  /** The indentation of the setting that holds no proxies, while its lines last. */
  #skipped: number | null = null;
  #setting: number | null = null;
  #hasRead = false;
  #hasList = false;
  #hasProviders = false;

  constructor(options: ParseOptions) {
    this.#how = { options, names: new UnreadNames('member') };
  }

  push(text: string): ListVerdict[] {
    this.#cutter.cut(text, (piece, isLast) => this.#take(piece, isLast));
    return this.#verdicts();
  }

  finish(): ListVerdict[] {
    if (this.#open !== '' && !this.#flow) this.#take('', true);
    this.#endEntry();
    if (this.#flow)
      this.#reject('truncated', 'the file ends before its list does: it is cut off', this.#flow.line);
    else if (!this.#hasRead) this.#reject('not-a-list', this.#whyNothing(), 1);
    return this.#verdicts();
  }

  #verdicts(): ListVerdict[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #take(piece: string, isLast: boolean): void {
    if (this.#isNewLine && (isLast || piece !== '')) this.#line++;
    this.#isNewLine = isLast || (this.#isNewLine && piece === '');
    const end = isLast ? '\n' : '';
    if (this.#rest !== null) this.#readRest(piece, isLast);
    else if (this.#flow) this.#pushFlow(piece + end);
    else this.#takeLine(piece, end);
  }

  #takeLine(piece: string, end: string): void {
    const line = this.#open === null ? null : this.#open + piece;
    const isLong = line === null || line.length > MAX_ENTRY;
    // A list in brackets may be longer than a line.
    if (line !== null && isLong && this.#isFlowStart(line)) {
      this.#open = '';
      this.#readLine(line, end);
    } else if (end === '') {
      this.#open = isLong ? null : line;
    } else if (!isLong) {
      this.#open = '';
      this.#readLine(line);
    } else {
      this.#open = '';
      this.#endEntry();
      this.#out.push(tooLong(this.#line, MAX_ENTRY));
      this.#hasRead = true;
    }
  }

  #isFlowStart(line: string): boolean {
    const text = line.trimStart();
    const value = this.#isInBlock(line) ? '' : (settingOf(text)?.value ?? text);
    return /^[[{]/.test(value);
  }

  /** @param end what ends the line: nothing if only its beginning is there. */
  #readLine(line: string, end = '\n'): void {
    const text = line.trim();
    const isComment = text.startsWith('#');
    if (text === '' || isComment) {
      this.#out.push({ kind: isComment ? 'comment' : 'blank', line: this.#line });
      this.#readBetween(line, isComment);
    } else if (/^(?:---|\.\.\.)(?:\s|$)/.test(line)) {
      this.#endEntry();
      this.#block = null;
      this.#skipped = null;
      this.#setting = null;
      if (/^\S+\s+[^#\s]/.test(line)) this.#readLine(`   ${line.slice(3)}`, end);
      else this.#comment();
    } else if (this.#isInBlock(line)) {
      this.#readListed(line);
    } else {
      this.#endEntry();
      this.#readSetting(line, text, end);
    }
  }

  /** A blank line or comment may be part of a text of several lines. */
  #readBetween(line: string, isComment: boolean): void {
    if (!this.#entry) return;
    if (!isComment) this.#entry.blanks++;
    else if (indentOf(line) > (this.#block?.indent ?? 0)) this.#append(line);
  }

  /** An entry begins with a dash at the indentation of the first. Deeper lines belong to it. */
  #isInBlock(line: string): boolean {
    if (this.#block === null) return false;
    const { indent, key } = this.#block;
    const at = indentOf(line);
    const isDash = /^-(?:\s|$)/.test(line.slice(at, at + 2));
    if (indent === undefined) return isDash && at >= key;
    return at > indent || (at === indent && isDash);
  }

  #readListed(line: string): void {
    const block = this.#block as Block;
    const indent = indentOf(line);
    block.indent ??= indent;
    if (indent === block.indent) {
      this.#endEntry();
      this.#entry = { line: this.#line, text: line, blanks: 0 };
    } else if (this.#entry) this.#append(line);
  }

  #append(line: string): void {
    const entry = this.#entry;
    if (!entry || entry.text === null) return;
    const text = `${entry.text}${'\n'.repeat(Math.min(entry.blanks, MAX_ENTRY))}\n${line}`;
    entry.text = text.length <= MAX_ENTRY ? text : null;
    entry.blanks = 0;
  }

  #endEntry(): void {
    const entry = this.#entry;
    this.#entry = null;
    if (entry) this.#readElement(entry, this.#block?.holds ?? 'anything', false);
  }

  #readElement({ text, line }: FlowElement, holds: Holds, isFlow: boolean): void {
    if (holds === 'nothing') return;
    if (text === null) {
      this.#hasRead = true;
      this.#out.push(tooLong(line, MAX_ENTRY, 'entry'));
    } else if (holds === 'proxies') this.#place(readEntry(text, isFlow, this.#how), line);
    else for (const read of readProxiesInside(text, isFlow, this.#how)) this.#place(read, line);
  }

  #place({ verdicts, mask }: EntryVerdicts, line: number): void {
    for (const verdict of verdicts) {
      this.#hasRead ||= verdict.kind === 'proxy' || verdict.kind === 'refused';
      this.#out.push(placed(verdict, line, mask));
    }
  }

  #readSetting(line: string, text: string, end: string): void {
    const indent = indentOf(line);
    const isDash = /^-(?:\s|$)/.test(text);
    const last = this.#block;
    this.#block = null;
    const isSkipped =
      this.#skipped !== null && (indent > this.#skipped || (indent === this.#skipped && isDash));
    if (!isSkipped) this.#skipped = null;
    // A list without any key above it can only be the list of proxies.
    const holds = this.#setting === null ? 'proxies' : 'anything';
    /** The list whose key is above this line, in place of its first dash. */
    const above = last && last.indent === undefined && indent > last.key ? last : null;
    if (isSkipped) this.#comment();
    else if (isDash) {
      // Entries that are indented by less than the first still belong to the list.
      const isSameList = last !== null && indent >= last.key;
      this.#block = isSameList ? { ...last, indent: undefined } : { holds, key: 0, indent: undefined };
      this.#readListed(line);
    } else if (/^[[{]/.test(text)) this.#startFlow(text + end, above?.holds ?? holds);
    else if (above) this.#rejectValue(above.key);
    else {
      const setting = settingOf(text);
      if (setting) this.#readKey(setting, indent, end);
      else this.#readStray(text, indent, last);
    }
  }

  /** Reads a line that is not a setting. The list continues after it. */
  #readStray(text: string, indent: number, last: Block | null): void {
    // The lines of a long text are indented deeper than its key.
    if ((this.#setting !== null && indent > this.#setting) || text.startsWith('%')) this.#comment();
    else this.#reject('bad-record', 'this line is not part of a YAML list', this.#line);
    this.#block = last;
  }

  #readKey({ key, value }: Setting, indent: number, end: string): void {
    this.#setting = indent;
    this.#hasProviders ||= key === 'proxy-providers';
    // It is not known which lists are meant, so that their entries must name it themselves.
    if (fieldOf(key) === 'protocol' && schemesNamed(value.replace(/^["']|["']$/g, '')))
      this.#how.options = { ...this.#how.options, strictProtocol: true };
    const holds = namesProxies(key) ? 'proxies' : isWithoutProxies(key) ? 'nothing' : 'anything';
    if (holds === 'nothing') this.#skipped = indent;
    this.#hasList ||= holds === 'proxies';
    if (/^[[{]/.test(value)) this.#startFlow(value + end, holds);
    else if (holds !== 'nothing' && isUnread(key, value)) this.#rejectValue(indent);
    else {
      if (holds === 'proxies' && value === '') this.#block = { holds, key: indent, indent: undefined };
      this.#comment();
    }
  }

  #rejectValue(indent: number): void {
    const reason = 'only lists of proxies are read: write one entry a line below proxies:';
    this.#reject('bad-record', reason, this.#line);
    this.#skipped = indent;
  }

  #startFlow(text: string, holds: Holds): void {
    // A mapping in braces is no list: the proxies are further in.
    const inside = text.startsWith('{') && holds === 'proxies' ? 'anything' : holds;
    this.#flow = { splitter: new FlowSplitter(MAX_ENTRY, this.#line), holds: inside, line: this.#line };
    this.#pushFlow(text);
  }

  #pushFlow(text: string): void {
    if (!this.#flow) return;
    const { splitter, holds } = this.#flow;
    const elements: FlowElement[] = [];
    const end = splitter.push(text, elements);
    for (const element of elements) this.#readElement(element, holds, true);
    if (!splitter.closed) return;
    this.#flow = null;
    this.#rest = 'blank';
    this.#readRest(text.slice(end), text.endsWith('\n'));
  }

  #readRest(piece: string, isLast: boolean): void {
    const text = piece.trim();
    if (this.#rest === 'blank' && text !== '') {
      this.#rest = 'text';
      if (!text.startsWith('#')) this.#reject('bad-record', 'there is text after the list', this.#line);
    }
    if (isLast) this.#rest = null;
  }

  #comment(): void {
    this.#out.push({ kind: 'comment', line: this.#line });
  }

  #reject(code: RefusalCode, reason: string, line: number): void {
    this.#hasRead = true;
    this.#out.push(rejected(code, reason, line));
  }

  #whyNothing(): string {
    if (this.#hasProviders && !this.#hasList)
      return 'the proxies are in the lists that proxy-providers: names: import those lists';
    return this.#hasList ? 'proxies: has no entry' : 'this YAML has no proxies: and no other list of proxies';
  }
}

function indentOf(line: string): number {
  return /^[ \t]*/.exec(line)?.[0].length ?? 0;
}
