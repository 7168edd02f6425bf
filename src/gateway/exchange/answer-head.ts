/** The status and the headers of an answer. */
export interface AnswerHead {
  status: number;
  /** The text after the status; it may be empty. */
  reason: string;
  /** Names and values by turns, as they came. */
  rawHeaders: readonly string[];
  /** Whether the answer is of HTTP/1.0, whose connections end with it unless it says otherwise. */
  isOld: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/;
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;

/**
 * Reads the head of an answer (RFC 9112, 4 and 5); null if it is not exactly what the RFC says: a line that one program reads in one way
 * and another in another way must not be passed on.
 *
 * @param text a character for each byte, without the empty line at the end.
 */
export function parseAnswerHead(text: string): AnswerHead | null {
  const lines = text.split('\r\n');
  const line = STATUS_LINE.exec(lines[0] ?? '');
  if (line === null) return null;
  const rawHeaders: string[] = [];
  for (let at = 1; at < lines.length; at++) {
    const header = lines[at] ?? '';
    const colon = header.indexOf(':');
    const name = header.slice(0, colon);
    const value = trimmed(header, colon + 1);
    if (colon === -1 || !NAME.test(name) || !VALUE.test(value)) return null;
    // Node, and who else has its parser, takes this for a body without chunks.
    if (header.endsWith('\t') && /^transfer-encoding$/i.test(name)) return null;
    rawHeaders.push(name, value);
  }
  return { status: Number(line[2]), reason: line[3] ?? '', rawHeaders, isOld: line[1] === '0' };
}

/** The rest of a line, without spaces and tabs at its ends. Other white space is of the value. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
