import { notFound } from '../../model/validation.ts';
import { poolCommand } from '../command.ts';
import { print } from '../output.ts';
import { text } from '../terminal.ts';

export const removeCommand = poolCommand({
  name: 'remove',
  purpose: 'remove proxies with their credentials, sticky sessions and usage: all of them, or none',
  example: 'proxyvault remove 0199c0de-0000-7000-8000-000000000001',
  takes: (command) => command.argument('<id...>'),
  run({ database, proxies }, { json }, ids: string[]) {
    database.transaction(() => {
      for (const id of ids) if (!proxies.delete(id)) throw notFound('proxy', id);
    });
    print(json, { removed: ids }, () => text`Removed ${ids.length}.`);
  },
});
