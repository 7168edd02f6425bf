/** The members of a record, in their order; null is YAML's null. */
export type Members = (readonly [name: string, value: string | null])[];

/** What YAML's core schema reads as null, if it has no quotes. */
const NULLS: ReadonlySet<string> = new Set(['~', 'null', 'Null', 'NULL']);

const KEY = String.raw`([A-Za-z][\w-]{0,63})`;
/** Quoted texts in one line, with the escapes of JSON for one character, and YAML's `\U`. */
const ESCAPE = String.raw`\\(?:["\\/]|u[\da-fA-F]{4}|U000[\da-fA-F]{5})`;
const RAW = String.raw`[^"\\\p{Cc}\p{Zl}\p{Zp}\uFEFF]*`;
const DOUBLE = `"(${RAW}(?:${ESCAPE}${RAW})*)"`;
const SINGLE = String.raw`'([^'\p{Cc}\p{Zl}\p{Zp}\uFEFF]*)'`;
/** Characters that have no meaning inside a text without quotes. */
const INNER = String.raw`[^\s,\[\]{}#:"'\p{Cc}\uFEFF]`;
const FIRST = String.raw`(?:[A-Za-z0-9_./+~$(]|(?![\s\p{Cc}\uFEFF])[^\0-\x7F])`;
/** A text without quotes: inside it, another character follows every `:` and blank, and comes before every `#`. */
const PLAIN = `(${FIRST}${INNER}*(?:(?::(?=${INNER})|#| +(?=${INNER}))${INNER}*)*)`;
const SCALAR = `(?:${DOUBLE}|${SINGLE}|${PLAIN})`;

const FLOW_START = /^ *- +\{/;
/** After a name in quotes, as in JSON, the colon needs no blank. */
const FLOW_MEMBER = new RegExp(` *(?:${KEY}: +|"${KEY}" *: *)${SCALAR} *([,}])`, 'uy');
const BLOCK_MEMBER = new RegExp(`( *(?:- +)?)${KEY}: +${SCALAR} *(?:\n|$)`, 'uy');

/**
 * The members of an entry, `- {name: a, type: http}` or a block, as the YAML library reads them, many times faster. Null if
 * the entry is not in the simplest notation: members of one line, without anchors, tags or comments. Cost is linear.
 */
export function readSimpleEntry(text: string): Members | null {
  const start = FLOW_START.exec(text);
  return start ? readSimpleMapping(text, start[0].length - 1) : readBlock(text);
}

/** As `readSimpleEntry`, for a mapping in braces that begins at `at` and ends the text. */
export function readSimpleMapping(text: string, at = 0): Members | null {
  if (text[at] !== '{') return null;
  const members: Members = [];
  FLOW_MEMBER.lastIndex = at + 1;
  for (;;) {
    const match = FLOW_MEMBER.exec(text);
    if (!match) return null;
    const [all, name, quotedName, double, single, plain, end] = match;
    if (!add(members, name ?? quotedName ?? '', unescaped(double) ?? single, plain)) return null;
    if (end === '}') break;
    FLOW_MEMBER.lastIndex = match.index + all.length;
  }
  return isBlankFrom(text, FLOW_MEMBER.lastIndex) ? members : null;
}

function readBlock(text: string): Members | null {
  const members: Members = [];
  let indent = -1;
  BLOCK_MEMBER.lastIndex = 0;
  do {
    const match = BLOCK_MEMBER.exec(text);
    if (!match) return null;
    const [, before = '', name = '', double, single, plain] = match;
    // Only the first member has the dash, and all begin in one column.
    if (before.includes('-') !== (indent === -1) || (indent !== -1 && before.length !== indent)) return null;
    indent = before.length;
    if (!add(members, name, unescaped(double) ?? single, plain)) return null;
  } while (BLOCK_MEMBER.lastIndex < text.length);
  return members;
}

/** False for a name that is there already, or is itself null. */
function add(members: Members, name: string, quoted: string | undefined, plain: string | undefined): boolean {
  if (NULLS.has(name) || members.some(([other]) => other === name)) return false;
  const value = quoted ?? plain ?? '';
  members.push([name, quoted === undefined && NULLS.has(value) ? null : value]);
  return true;
}

function unescaped(text: string | undefined): string | undefined {
  if (!text?.includes('\\')) return text;
  return text.replace(
    /\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/g,
    (_, short?: string, long?: string, itself = '') => {
      const code = short ?? long;
      return code === undefined ? itself : String.fromCodePoint(Number.parseInt(code, 16));
    },
  );
}

function isBlankFrom(text: string, at: number): boolean {
  for (let index = at; index < text.length; index++) if (text[index] !== ' ') return false;
  return true;
}
