import { ProxyVaultError } from '../../errors.ts';
import { assertSection, checksum, fileOf, normalizeText } from './parser.ts';
import type { InlineMigration, Migration } from './types.ts';

const WORDS = /^[a-z0-9]+(?:_[a-z0-9]+)*$/;
const MEMBERS = ['version', 'name', 'up', 'down'];

/** A migration that is written in the program. @throws MIGRATION_INVALID, with its name and line. */
export function inlineMigration(namespace: string, given: InlineMigration): Migration {
  assertMembers(namespace, given);
  const { version, name: words, up, down = null } = given;
  const name = `${String(version).padStart(3, '0')}_${words}`;
  const migration: Migration = {
    namespace,
    version,
    name,
    description: words.replaceAll('_', ' '),
    up: normalizeText(up),
    down: down === null ? null : normalizeText(down),
    firstLine: { up: 1, down: 1 },
    checksum: checksum(asFile(name, up, down)),
    isInline: true,
  };
  const failIn = (direction: 'up' | 'down') => (line: number, problem: string) => {
    const file = fileOf(migration, direction);
    throw new ProxyVaultError('MIGRATION_INVALID', `${file}:${line}: ${problem}`, {
      details: { file, line },
    });
  };
  assertSection(migration, 'up', failIn('up'));
  if (down !== null) assertSection(migration, 'down', failIn('down'));
  return migration;
}

/** The text that the checksum is of. A formatter may move the lines of a text in a program. */
function asFile(name: string, up: string, down: string | null): string {
  const lines = (sql: string): string =>
    normalizeText(sql)
      .split('\n')
      .map((line) => line.trim())
      .join('\n')
      .trim();
  return `-- Migration: ${name}\n\n-- Up\n${lines(up)}\n${down === null ? '' : `\n-- Down\n${lines(down)}\n`}`;
}

function assertMembers(namespace: string, given: unknown): asserts given is InlineMigration {
  const fail = (problem: string): never => {
    throw new ProxyVaultError('MIGRATION_INVALID', `A migration of ${namespace} ${problem}.`);
  };
  if (typeof given !== 'object' || given === null) return fail('is not an object with version, name and up');
  const { version, name, up, down = null } = given as Record<string, unknown>;
  if (!Number.isSafeInteger(version) || Number(version) < 1 || Number(version) > 999_999_999)
    fail('has no version: give a whole number from 1');
  if (typeof name !== 'string' || !WORDS.test(name))
    fail(`has no name: give version ${String(version)} lower-case words joined by _, such as add_orders`);
  const at = `(version ${String(version)}, ${String(name)})`;
  if (typeof up !== 'string') fail(`${at} has no up: give SQL as a text`);
  if (down !== null && typeof down !== 'string')
    fail(`${at} has a down that is no text: leave it out if the migration cannot be undone`);
  const unknown = Object.keys(given).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined)
    fail(`${at} has the member ${JSON.stringify(unknown)}; there are ${MEMBERS.join(', ')}`);
}
