import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';

/**
 * What a terminal obeys or hides in place of showing it: control characters with escape sequences, bidirectional controls,
 * invisible characters, separators of lines, halves of surrogate pairs. Names and paths come from others and may hold them.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const UNSAFE_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Marks what is printed bold. Nobody can guess it, so no text of others is taken for it. */
const MARK = randomUUID();
const BOLD = new RegExp(`${MARK}<(.*?)>${MARK}`, 'gs');

/**
 * What may be printed. Only the functions below make it, and printing takes nothing else, so that a name or a path of
 * others cannot begin a line or command the terminal.
 */
export class Text {
  readonly #content: string;

  private constructor(content: string) {
    this.#content = content;
  }

  /** Takes a text as it is, line ends included: for texts of our own, and what was made visible already. */
  static ours(content: string): Text {
    return new Text(content);
  }

  toString(): string {
    return this.#content;
  }
}

/** What a text is made of. Anything but a `Text` is made visible. */
export type Printable = Text | string | number | boolean | null | undefined;

/** A template whose values are visible: its own line ends are the only ones. */
export function text(template: TemplateStringsArray, ...values: readonly Printable[]): Text {
  return Text.ours(String.raw({ raw: template }, ...values.map(contentOf)));
}

/** Several texts, one below the other. */
export function lines(items: readonly Printable[], separator = '\n'): Text {
  return Text.ours(items.map(contentOf).join(separator));
}

/** A text of one line that a terminal shows as it is: an escape character becomes `\u{1b}`, a line end `\u{a}`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, escapeCodePoint);
}

/** The same text, bold where standard output is a terminal and NO_COLOR is not set. */
export function bold(text: Printable): Text {
  return Text.ours(`${MARK}<${contentOf(text)}>${MARK}`);
}

/** JSON of the same value, in which nothing is unsafe for a terminal. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE_IN_LINES, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Writes text for a person to standard output. Nothing else in the command line writes there, but for {@link writeData}. */
export function writeOut(text: Text): void {
  process.stdout.write(render(text, process.stdout));
}

/** Writes text for a person to standard error. */
export function writeError(text: Text): void {
  process.stderr.write(render(text, process.stderr));
}

/** Writes data to standard output: byte for byte to a file or another program, made visible for a terminal. */
export function writeData(text: string): boolean {
  return process.stdout.write(process.stdout.isTTY ? visibleLines(text) : text);
}

function contentOf(value: Printable): string {
  return value instanceof Text ? value.toString() : visible(String(value));
}

function render(text: Text, stream: NodeJS.WriteStream): string {
  return visibleLines(text.toString()).replace(BOLD, (_, marked: string) =>
    styleText('bold', marked, { stream }),
  );
}

function visibleLines(text: string): string {
  return text.replace(UNSAFE_IN_LINES, escapeCodePoint);
}

function escapeCodePoint(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
