import { invalidInput } from '../../model/validation.ts';
import { RESERVED } from './reserved-statements.ts';
import { significantTokens, splitStatements } from './split-script.ts';

/** A statement of an application, with a `:name` for each of its parameters, as drivers take it. */
export interface CallerStatement {
  sql: string;
  /** The names it has; of `?` and `?2` they are {@link positionName}s. */
  names: ReadonlySet<string>;
  /** How many values it takes by position; null if its parameters have names. */
  positions: number | null;
}

/** Also in the schema that has all temporary objects. */
const TEMPORARY =
  /^CREATE (?:TEMP|TEMPORARY|(?:UNIQUE |VIRTUAL )?\w+ (?:IF NOT EXISTS )?["'`[]?TEMP["'`\]]? \.)(?= )/;

/** How many texts are kept. One that is made from values is never seen again. */
const KEPT = 200;
const kept = new Map<string, CallerStatement>();

/** The name of a parameter by position, from 1. */
export function positionName(position: number): string {
  return `p${position}`;
}

/**
 * Reads one statement of an application. `?`, `?2` and `$2` are parameters by position; `:name`, `@name` and `$name` are named.
 *
 * @throws INVALID_INPUT for no statement, several, one that only this library runs, and both kinds of parameters in one.
 */
export function readCallerStatement(sql: string): CallerStatement {
  const known = kept.get(sql);
  if (known !== undefined) return known;
  const statement = read(sql);
  if (kept.size >= KEPT) {
    const [oldest = ''] = kept.keys();
    kept.delete(oldest);
  }
  kept.set(sql, statement);
  return statement;
}

function read(text: string): CallerStatement {
  if (typeof text !== 'string') throw invalidInput('The SQL must be a string.');
  // An engine may take it for the end, and a WHERE after it would be lost.
  if (text.includes('\0')) throw invalidInput('The SQL must not have a NUL character.');
  const [statement, ...others] = split(text);
  if (statement === undefined) throw invalidInput('The SQL has no statement.');
  if (others.length > 0) {
    throw invalidInput(
      `The SQL has ${others.length + 1} statements, and one runs at a time: run each by itself inside \`db.transaction()\`, or put a script into a migration.`,
      { statements: others.length + 1 },
    );
  }
  const tokens = significantTokens(statement.sql);
  assertAllowed(tokens.map(([token]) => token.toUpperCase()));
  return withNames(statement.sql, tokens);
}

function split(text: string): { sql: string }[] {
  try {
    return splitStatements(text, { file: 'SQL', firstLine: 1 });
  } catch (error) {
    throw invalidInput(error instanceof Error ? error.message : String(error));
  }
}

function assertAllowed(words: readonly string[]): void {
  // EXPLAIN PRAGMA changes a setting too.
  const start = words[0] === 'EXPLAIN' ? (words[1] === 'QUERY' && words[2] === 'PLAN' ? 3 : 1) : 0;
  const keyword = words[start] ?? '';
  const remedy = RESERVED.get(keyword);
  if (remedy !== undefined)
    throw invalidInput(`${keyword} is run by the library alone: ${remedy}.`, { statement: keyword });
  if (keyword === 'CREATE' && TEMPORARY.test(words.slice(start).join(' ')))
    throw invalidInput(
      'A temporary table could hide a table of the pool from the whole program: make an ordinary one in a migration, or use WITH.',
    );
}

function withNames(sql: string, tokens: readonly RegExpExecArray[]): CallerStatement {
  const names = new Set<string>();
  const positions = new Set<number>();
  let rewritten = '';
  let copied = 0;
  let highest = 0;
  for (let i = 0; i < tokens.length; i++) {
    const found = parameterAt(tokens, i, highest);
    if (found === null) continue;
    i = found.last;
    if (typeof found.is === 'number') {
      positions.add(found.is);
      highest = Math.max(highest, found.is);
    } else names.add(found.is);
    const name = typeof found.is === 'number' ? positionName(found.is) : found.is;
    rewritten += `${sql.slice(copied, found.from)}:${name}`;
    copied = found.to;
  }
  if (names.size > 0 && positions.size > 0)
    throw invalidInput(
      'The statement has parameters by position (?) and by name (:name): use one kind in a statement.',
    );
  for (let position = 1; position <= highest; position++)
    if (!positions.has(position)) throw invalidInput(`The statement has ?${highest} and no ?${position}.`);
  return {
    sql: rewritten + sql.slice(copied),
    names: new Set([...names, ...[...positions].map(positionName)]),
    positions: names.size > 0 ? null : highest,
  };
}

interface Found {
  /** The name, or the position from 1. */
  is: string | number;
  /** Where it is in the text. */
  from: number;
  to: number;
  /** Its last token. */
  last: number;
}

/** The parameter that begins at a token; null if none does. */
function parameterAt(tokens: readonly RegExpExecArray[], i: number, highest: number): Found | null {
  const { 0: token = '', index: from = 0 } = tokens[i] ?? {};
  const next = tokens[i + 1];
  const word =
    next !== undefined && next.index === from + 1 && /^[\p{L}\p{N}_$]/u.test(next[0]) ? next[0] : null;
  const here = { from, to: from + token.length, last: i };
  if (token === '?') {
    if (word === null || !/^\d+$/.test(word)) return { ...here, is: highest + 1 };
    return { is: positionFrom(word), from, to: from + 1 + word.length, last: i + 1 };
  }
  if (token.startsWith('$') && token.length > 1) {
    const name = token.slice(1);
    return { ...here, is: /^\d+$/.test(name) ? positionFrom(name) : name };
  }
  // `::` is a cast.
  const isSign = token === '@' || (token === ':' && tokens[i - 1]?.[0] !== ':');
  return isSign && word !== null ? { is: word, from, to: from + 1 + word.length, last: i + 1 } : null;
}

function positionFrom(digits: string): number {
  const position = Number(digits);
  if (position >= 1 && position <= 32_766) return position;
  throw invalidInput('A parameter by position has a number from 1 to 32766.');
}
