import { createHash } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import { RESERVED } from '../drivers/reserved-statements.ts';
import { type SqlStatement, splitStatements } from '../drivers/split-script.ts';
import type { Migration } from './types.ts';

const NAME = /^(\d{3,9})_[a-z0-9]+(?:_[a-z0-9]+)*$/;

/** Text as it is hashed and run: LF line ends and no byte order mark, so that a checkout's settings do not matter. */
export function normalizeText(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

export function checksum(text: string): string {
  return createHash('sha256').update(normalizeText(text), 'utf8').digest('hex');
}

/**
 * Parses one migration file, strictly:
 *
 * ```sql
 * -- Migration: 001_proxy_rotation_system
 * -- Description: Add tables for proxy rotation system
 *
 * -- Up
 * CREATE TABLE ...;
 *
 * -- Down
 * DROP TABLE ...;
 * ```
 *
 * `-- Down` may be absent: then the migration cannot be undone.
 *
 * @throws MIGRATION_INVALID, with file and line.
 */
export function parseMigration(namespace: string, fileName: string, text: string): Migration {
  const name = fileName.replace(/\.sql$/, '');
  const file = `${name}.sql`;
  const fail = (line: number, problem: string): never => {
    throw new ProxyVaultError('MIGRATION_INVALID', `${file}:${line}: ${problem}`, {
      details: { file, line },
    });
  };

  const version =
    NAME.exec(name)?.[1] ?? fail(1, `a migration is named NNN_lower_case_words.sql, such as 001_tasks.sql.`);
  const lines = normalizeText(text).split('\n');
  const header = readHeader(lines, fail);
  if (header.name !== name)
    fail(1, `the header names ${header.name}, and the file is ${name}: make them equal.`);

  const { description, upLine, downLine } = header;
  const migration: Migration = {
    namespace,
    version: Number(version),
    name,
    description,
    up: lines.slice(upLine, downLine === null ? undefined : downLine - 1).join('\n'),
    down: downLine === null ? null : lines.slice(downLine).join('\n'),
    firstLine: { up: upLine + 1, down: (downLine ?? 0) + 1 },
    checksum: checksum(text),
  };
  assertSection(migration, 'up', fail);
  if (downLine !== null) assertSection(migration, 'down', fail);
  return migration;
}

/** A section is split when it is parsed and when it runs: the second time would be a tenth of making a new database. */
const SPLIT = new WeakMap<Migration, Partial<Record<'up' | 'down', readonly SqlStatement[]>>>();

/** Where a section is, for messages. */
export function fileOf({ name, isInline }: Migration, direction: 'up' | 'down'): string {
  return isInline ? `${name} (${direction})` : `${name}.sql`;
}

/** The statements of a section, with the lines of the file they stand on. */
export function sectionStatements(migration: Migration, direction: 'up' | 'down'): readonly SqlStatement[] {
  const sections = SPLIT.get(migration) ?? {};
  SPLIT.set(migration, sections);
  sections[direction] ??= splitStatements(migration[direction] ?? '', {
    file: fileOf(migration, direction),
    firstLine: migration.firstLine[direction],
  });
  return sections[direction];
}

/** What the marked lines say; line numbers count from 1. */
function readHeader(
  lines: readonly string[],
  fail: (line: number, problem: string) => never,
): { name: string; description: string; upLine: number; downLine: number | null } {
  const found = new Map<string, { line: number; value: string }>();
  lines.forEach((text, index) => {
    const line = index + 1;
    const [, key = '', value = ''] =
      /^--\s*(Migration:|Description:|Up|Down)(?:\s+(.*))?$/i.exec(text.trimEnd()) ?? [];
    const inSections = found.has('Up');
    if (key === '' || (inSections && key.endsWith(':'))) {
      if (!inSections && text.trim() !== '' && !text.startsWith('--'))
        fail(line, 'there is SQL before the line "-- Up".');
      return;
    }
    // Prose that begins with the word is a comment, not a marker.
    if (!key.endsWith(':') && value !== '') return;
    const exact = key.charAt(0).toUpperCase() + key.slice(1).toLowerCase();
    if (exact !== key || !text.startsWith(`-- ${key}`)) fail(line, `write "-- ${exact}" exactly so.`);
    const earlier = found.get(exact);
    if (earlier) fail(line, `"-- ${exact}" stands twice; it first stood on line ${earlier.line}.`);
    if (exact === 'Down' && !found.has('Up')) fail(line, '"-- Down" stands before "-- Up".');
    if (exact.endsWith(':') && value.trim() === '') fail(line, `"-- ${exact}" needs a text behind it.`);
    found.set(exact, { line, value: value.trim() });
  });
  const { value: name } = found.get('Migration:') ?? fail(1, 'the line "-- Migration: NNN_name" is missing.');
  const { value: description } =
    found.get('Description:') ?? fail(1, 'the line "-- Description: ..." is missing.');
  const { line: upLine } = found.get('Up') ?? fail(lines.length, 'the line "-- Up" is missing.');
  return { name, description, upLine, downLine: found.get('Down')?.line ?? null };
}

/** @throws what `fail` throws, if a section has no statement, or one that only the runner may use. */
export function assertSection(
  migration: Migration,
  direction: 'up' | 'down',
  fail: (line: number, problem: string) => never,
): void {
  const statements = sectionStatements(migration, direction);
  const section = direction === 'up' ? 'Up' : 'Down';
  if (statements.length === 0)
    fail(Math.max(1, migration.firstLine[direction] - 1), `the section "-- ${section}" has no statement.`);
  // EXPLAIN PRAGMA changes a setting too.
  const forbidden = statements.find(({ keyword }) => keyword === 'EXPLAIN' || RESERVED.has(keyword));
  if (forbidden) {
    fail(
      forbidden.line,
      `${forbidden.keyword} may not stand in a migration: the runner holds the transaction and the settings.`,
    );
  }
}
