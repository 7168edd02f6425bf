/** The namespace of this library's own migrations. An application brings its own under another name. */
export const OWN_NAMESPACE = 'proxyvault';

/** One migration, parsed. Its identity is `namespace` and `name`; `version` only orders it. */
export interface Migration {
  namespace: string;
  /** The number that the name begins with. */
  version: number;
  /** Such as `001_proxy_rotation_system`. */
  name: string;
  description: string;
  /** The SQL of the Up section. */
  up: string;
  /** The SQL of the Down section; null if the file has none and the migration cannot be undone. */
  down: string | null;
  /** The lines of the file on which the sections' SQL begins, for messages. */
  firstLine: { up: number; down: number };
  /**
   * SHA-256 in hex of the file's text with LF line ends and no byte order mark. For one that is written in the program, it is that
   * of its name, `up` and `down`, without the white space at both ends of a line.
   */
  checksum: string;
  /** Written in the program: its lines are those of `up` and `down`. */
  isInline?: boolean;
}

/** A migration that the database has. */
export interface AppliedMigration extends Migration {
  /** ISO 8601, UTC. */
  appliedAt: string;
}

/** The migrations of one namespace, as file texts by name (`001_tasks` or `001_tasks.sql`). */
export interface MigrationSource {
  namespace: string;
  files: readonly { name: string; sql: string }[];
}

/** A migration that is written in the program. Once it was applied anywhere, it is never edited. */
export interface InlineMigration {
  /** A whole number from 1 to 999999999, which orders the migrations of a namespace. */
  version: number;
  /** Lower-case words, joined by `_`: version 1 of the name `orders` is recorded as `001_orders`. */
  name: string;
  /** SQL, one or more statements. */
  up: string;
  /** SQL that undoes it; without it the migration cannot be undone. */
  down?: string | null | undefined;
}

/** The migrations of one namespace, written in the program. */
export interface InlineMigrations {
  namespace: string;
  migrations: readonly InlineMigration[];
}

/** The migrations of one namespace, in the `.sql` files of a folder: a path, or `new URL('./migrations', import.meta.url)`. */
export interface MigrationFolder {
  namespace: string;
  folder: string | URL;
}

/** One step of a dry run. */
export interface MigrationStep {
  namespace: string;
  name: string;
  direction: 'up' | 'down';
  /** Exactly what would be executed. */
  sql: string;
}
