import { ProxyVaultError } from '../../errors.ts';

export interface SqlStatement {
  sql: string;
  /** The line of the script it begins on, from 1. */
  line: number;
  /** Its first word, in capitals. */
  keyword: string;
}

/** A comment, white space, string, quoted name or word; failing these, one character or what opens a comment. */
const TOKEN =
  /--[^\n]*|\/\*.*?\*\/|\s+|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\p{L}\p{N}_$]+|\/\*|./gsu;
const INSIGNIFICANT = /^(?:--|\/\*|\s)/;
const UNTERMINATED = /^(?:\/\*|['"`[])$/;

/** The tokens of a text without its comments and white space. */
export function significantTokens(sql: string): RegExpExecArray[] {
  return [...sql.matchAll(TOKEN)].filter(([token]) => !INSIGNIFICANT.test(token));
}

/** Splits a script where a statement ends. @throws MIGRATION_INVALID for a string, quoted name or comment that does not end. */
export function splitStatements(script: string, at: { file: string; firstLine: number }): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let line = at.firstLine;
  let startLine = line;
  let sql = '';
  let words: string[] = [];

  const finish = (): void => {
    const [keyword] = words;
    if (keyword !== undefined && keyword !== ';')
      statements.push({ sql: sql.trim(), line: startLine, keyword });
    sql = '';
    words = [];
  };

  for (const [token] of script.matchAll(TOKEN)) {
    if (UNTERMINATED.test(token)) {
      const message = `${at.file}:${line}: ${token} is opened here and never closed.`;
      throw new ProxyVaultError('MIGRATION_INVALID', message, { details: { file: at.file, line } });
    }
    if (INSIGNIFICANT.test(token)) {
      // What stands before a statement does not belong to it.
      if (words.length > 0) sql += token;
    } else {
      if (words.length === 0) startLine = line;
      sql += token;
      words.push(token.toUpperCase());
      if (token === ';' && endsStatement(words)) finish();
    }
    line += token.split('\n').length - 1;
  }
  finish();
  return statements;
}

/** A trigger ends at `; END ;`, anything else at its first semicolon: https://www.sqlite.org/c3ref/complete.html */
function endsStatement(words: readonly string[]): boolean {
  const isTemporary = words[1] === 'TEMP' || words[1] === 'TEMPORARY';
  const isTrigger = words[0] === 'CREATE' && words[isTemporary ? 2 : 1] === 'TRIGGER';
  return !isTrigger || (words.at(-2) === 'END' && words.at(-3) === ';');
}
