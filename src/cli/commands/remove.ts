import type { ProxyFilter } from '../../database/repositories/index.ts';
import { notFound } from '../../model/validation.ts';
import type { Vault } from '../../vault.ts';
import type { RemovalView } from '../../views/changes.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { confirmSeveral } from '../confirm-several.ts';
import { EXIT } from '../exit-codes.ts';
import { meantProxies, PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { givenFilter, withProxyFilter } from '../proxy-filter-options.ts';
import { text } from '../terminal.ts';

interface RemoveOptions extends CommonOptions, ProxyFilter {
  yes?: boolean;
}

export const removeCommand = bareCommand({
  name: 'remove',
  purpose:
    'remove proxies with their credentials, sticky sessions and usage: all of them, or none; more than one only if you say yes',
  example: 'proxyvault remove --tag trial --status failed',
  takes: (command) =>
    withProxyFilter(command.argument('[id...]', PROXY_ARGUMENT)).option(
      '-y, --yes',
      'remove several without a question',
    ),
  async act(options: RemoveOptions, command, typed: string[]) {
    const filter = givenFilter(options);
    if (filter === null && typed.length === 0)
      command.error('error: say which proxies: their ids, or --tag, --status or another filter');
    if (filter !== null && typed.length > 0)
      command.error('error: both ids and a filter are given: leave one of them out');
    await withVault(options, async (vault) => {
      const { proxies, database } = vault;
      const meant = Array.from(
        filter === null ? meantProxies(vault, typed) : proxies.iterate(filter),
        ({ id }) => id,
      );
      const action = { verb: 'remove', what: `${meant.length} proxies with their logins and history` };
      const isConfirmed = await confirmSeveral(meant.length, options, command, action);
      const removed = isConfirmed ? database.transaction(() => remove(vault, meant, filter)) : [];
      const view: RemovalView = { removed };
      print(options.json, view, () =>
        isConfirmed ? text`Removed ${removed.length}.` : text`Nothing was removed.`,
      );
      if (!isConfirmed) process.exitCode = EXIT.failure;
    });
  },
});

/** @returns what was removed. While somebody was asked, a proxy that a filter let through may have changed, and then it stays. */
function remove({ proxies }: Vault, ids: readonly string[], filter: ProxyFilter | null): string[] {
  if (filter === null) {
    for (const id of ids) if (!proxies.delete(id)) throw notFound('proxy', id);
    return [...ids];
  }
  const meant = new Set(ids);
  const matching = Array.from(proxies.iterate(filter), ({ id }) => id).filter((id) => meant.has(id));
  return matching.filter((id) => proxies.delete(id));
}
