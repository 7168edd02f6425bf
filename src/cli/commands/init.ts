import { poolCommand } from '../command.ts';
import { print } from '../output.ts';
import { text } from '../terminal.ts';

export const initCommand = poolCommand({
  name: 'init',
  purpose: 'make an empty pool, or bring one up to date',
  example: 'proxyvault init --db ./pool.db',
  create: true,
  run({ database, keys }, { json }) {
    const { path } = database;
    const schemaVersion = database.migrations.getCurrentVersion();
    const key = keys.source();
    print(
      json,
      { path, schemaVersion, key },
      () =>
        text`Ready: ${path}, schema version ${schemaVersion}.\nKey: ${key.location} (made with the first credential).\nNext: proxyvault import FILE`,
    );
  },
});
