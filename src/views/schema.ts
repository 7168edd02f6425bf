import type { MigrationRunner } from '../database/index.ts';

/** A migration; `appliedAt` is null for one that is pending. */
interface MigrationView<Applied extends string | null> {
  namespace: string;
  name: string;
  appliedAt: Applied;
}

/** The version of a pool's schema, and which migrations are applied and pending. */
export interface SchemaView {
  version: number;
  applied: MigrationView<string>[];
  pending: MigrationView<null>[];
}

export function schemaView(migrations: MigrationRunner): SchemaView {
  return {
    version: migrations.getCurrentVersion(),
    applied: migrations
      .getApplied()
      .map(({ namespace, name, appliedAt }) => ({ namespace, name, appliedAt })),
    pending: migrations.getPending().map(({ namespace, name }) => ({ namespace, name, appliedAt: null })),
  };
}
