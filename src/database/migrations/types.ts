/** The namespace of this library's own migrations. An application brings its own under another name. */
export const OWN_NAMESPACE = 'proxyvault';

/** One migration file, parsed. Its identity is `namespace` and `name`; `version` only orders it. */
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
  /** SHA-256 in hex of the file's text with LF line ends and no byte order mark. */
  checksum: string;
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

/** One step of a dry run. */
export interface MigrationStep {
  namespace: string;
  name: string;
  direction: 'up' | 'down';
  /** Exactly what would be executed. */
  sql: string;
}
