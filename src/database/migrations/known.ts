import { ProxyVaultError } from '../../errors.ts';
import { assertId, invalidInput } from '../../model/validation.ts';
import { isBase, type LedgerLine } from './ledger.ts';
import { BASE } from './sources.ts';
import { type Migration, OWN_NAMESPACE } from './types.ts';

/** The base schema and the migrations that this program knows, in the order of application, compared with a ledger. */
export class KnownMigrations {
  readonly #all: readonly Migration[];

  constructor(migrations: readonly Migration[]) {
    this.#all = [BASE, ...migrations];
  }

  /** Those that are not in the ledger. */
  pending(lines: readonly LedgerLine[]): Migration[] {
    // A set difference by identity, never "newer than the last": two branches merge in any order.
    const applied = this.#in(lines);
    return this.#all.filter((migration) => !applied.has(migration));
  }

  /** Our own that are in the ledger. */
  ownIn(lines: readonly LedgerLine[]): Migration[] {
    const applied = this.#in(lines);
    return this.#all.filter((m) => m.namespace === OWN_NAMESPACE && applied.has(m));
  }

  /** Those of a namespace up to a version. */
  upTo(version: number, namespace: string): Migration[] {
    return this.#all.filter((m) => m.namespace === namespace && m.version <= version);
  }

  /** Those that are in the ledger, and these. */
  with(present: readonly Migration[], lines: readonly LedgerLine[]): Migration[] {
    const applied = this.#in(lines);
    return this.#all.filter((migration) => applied.has(migration) || present.includes(migration));
  }

  /** Whether it is the first of an application, whose tables may have been made before it had migrations. */
  isFirstOfApplication(migration: Migration): boolean {
    const { namespace } = migration;
    return namespace !== OWN_NAMESPACE && this.#all.find((m) => m.namespace === namespace) === migration;
  }

  find(line: LedgerLine): Migration | undefined {
    return isBase(line) ? BASE : this.#all.find((migration) => identity(migration) === identity(line));
  }

  /** The migrations of these lines. @throws MIGRATION_IRREVERSIBLE if one is not known or has no Down section. */
  reversible(lines: readonly LedgerLine[]): Migration[] {
    const migrations = lines.map((line) => this.find(line) ?? unknownMigration(line));
    const irreversible = migrations.find((migration) => migration.down === null);
    if (!irreversible) return migrations;
    throw new ProxyVaultError(
      'MIGRATION_IRREVERSIBLE',
      `${identity(irreversible)} has no Down section and cannot be undone; nothing was changed. Restore a backup instead.`,
    );
  }

  /** @throws DATABASE_NEWER for a line of our namespaces that is not known; MIGRATION_CHANGED. */
  assertCompatible(lines: readonly LedgerLine[]): void {
    const ours = new Set(this.#all.map(({ namespace }) => namespace));
    for (const line of lines) {
      // Another application's tables in the same file are its own matter.
      if (!ours.has(line.namespace)) continue;
      const known = this.find(line);
      if (!known) {
        throw new ProxyVaultError(
          'DATABASE_NEWER',
          `The database has the migration ${line.namespace}/${line.name}, which this version does not know: update the program.`,
          { details: { migration: line.name, namespace: line.namespace } },
        );
      }
      if (known.checksum !== line.checksum) {
        throw new ProxyVaultError(
          'MIGRATION_CHANGED',
          `${line.namespace}/${line.name} differs from what was applied on ${line.appliedAt}: restore its file, and put the change into a new migration.`,
          { details: { migration: line.name, namespace: line.namespace } },
        );
      }
    }
  }

  /** @throws INVALID_INPUT. */
  assertVersion(version: number, namespace: string): void {
    assertId(namespace, 'namespace');
    const inNamespace = this.#all.filter((each) => each.namespace === namespace);
    if (inNamespace.length === 0)
      throw invalidInput(
        `There are no migrations of ${JSON.stringify(namespace)}; there are those of ${[...new Set(this.#all.map((each) => each.namespace))].join(', ')}. Give others as the option \`migrations\`.`,
      );
    const versions = new Set([0, ...inNamespace.map((each) => each.version)]);
    if (!versions.has(version))
      throw invalidInput(
        `There is no version ${typeof version === 'number' ? version : `of the type ${typeof version}`} of ${namespace}; there are ${[...versions].join(', ')}.`,
      );
  }

  #in(lines: readonly LedgerLine[]): Set<Migration | undefined> {
    return new Set(lines.map((line) => this.find(line)));
  }
}

/** What names a migration, in the ledger and in messages. */
export function identity({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function unknownMigration(line: LedgerLine): never {
  throw new ProxyVaultError(
    'MIGRATION_IRREVERSIBLE',
    `${identity(line)} was applied by another program and is not known here; nothing was changed. Undo it with that program first.`,
  );
}
