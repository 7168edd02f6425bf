import type { MigrationRunner } from '../../database/index.ts';
import { schemaView } from '../../views/schema.ts';
import { positiveNumber, wholeNumber } from '../arguments.ts';
import { commandGroup, poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { print, table } from '../output.ts';
import { lines, Text, text } from '../terminal.ts';

export const migrateCommand = commandGroup(
  'migrate',
  'update the schema, undo an update, or show what is applied',
  [
    poolCommand({
      name: 'up',
      purpose: 'apply every pending migration',
      example: 'proxyvault migrate up',
      anyVersion: true,
      run({ database: { migrations } }, options) {
        migrations.up();
        show(migrations, options);
      },
    }),
    poolCommand({
      name: 'down',
      purpose: 'undo the last migrations',
      example: 'proxyvault migrate down --steps 1',
      takes: (command) => command.option('--steps <n>', 'how many', positiveNumber, 1),
      anyVersion: true,
      run({ database: { migrations } }, options: CommonOptions & { steps: number }) {
        migrations.down(options.steps);
        show(migrations, options);
      },
    }),
    poolCommand({
      name: 'baseline',
      purpose: 'record the migrations up to a version as applied, for tables that were made by other means',
      example: 'proxyvault migrate baseline 1',
      takes: (command) => command.argument('<version>', 'whose tables the file has, exactly', wholeNumber),
      anyVersion: true,
      run({ database: { migrations } }, options, version: number) {
        migrations.baseline(version);
        show(migrations, options);
      },
    }),
    poolCommand({
      name: 'status',
      purpose: 'what is applied and what is pending',
      reads: true,
      example: 'proxyvault migrate status',
      anyVersion: true,
      run: ({ database }, options) => show(database.migrations, options),
    }),
    poolCommand({
      name: 'plan',
      purpose: 'the SQL that `up` would execute',
      reads: true,
      example: 'proxyvault migrate plan',
      anyVersion: true,
      run({ database }, { json }) {
        const plan = database.migrations.plan();
        const scripts = plan.map(
          ({ namespace, name, sql }) => text`-- ${namespace}/${name}\n${Text.ours(sql.trim())}\n`,
        );
        print(json, plan, () => (plan.length === 0 ? text`Nothing is pending.` : lines(scripts)));
      },
    }),
  ],
);

/** Shows what is applied and what is pending. */
function show(migrations: MigrationRunner, { json }: CommonOptions): void {
  const schema = schemaView(migrations);
  const rows = [...schema.applied, ...schema.pending].map(({ namespace, name, appliedAt }) => {
    return [`${namespace}/${name}`, appliedAt ?? 'pending'];
  });
  print(json, schema, () => table(['MIGRATION', 'APPLIED'], rows));
}
