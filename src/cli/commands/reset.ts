import type { ProxyConfig } from '../../database/index.ts';
import type { Vault } from '../../vault.ts';
import type { ResetView } from '../../views/changes.ts';
import { cooldownViewer } from '../../views/cooldowns.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { confirmSeveral } from '../confirm-several.ts';
import { EXIT } from '../exit-codes.ts';
import { meantProxies, PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { lines, text } from '../terminal.ts';

interface ResetOptions extends CommonOptions {
  all?: boolean;
  yes?: boolean;
}

export const resetCommand = bareCommand({
  name: 'reset',
  purpose: 'let proxies back in before their time: ends their cooldowns, and forgets their failures in a row',
  example: 'proxyvault reset gate.example.com:1080',
  notes: 'A proxy that is failed is active again; one that is disabled stays so: `proxyvault enable ID`.',
  takes: (command) =>
    command
      .argument('[id...]', PROXY_ARGUMENT)
      .option('--all', 'every proxy that cools, for everything or for a domain or session')
      .option('-y, --yes', 'with --all: without a question'),
  async act(options: ResetOptions, command, typed: string[]) {
    if (options.all === typed.length > 0)
      command.error('error: both ids and --all are given: leave one of them out');
    if (!options.all && typed.length === 0) command.error('error: say which proxies: their ids, or --all');
    await withVault(options, async (vault) => {
      const meant = options.all
        ? [...vault.proxies.iterate({ state: 'cooling' })]
        : meantProxies(vault, typed);
      const action = { verb: 'reset', what: `${meant.length} proxies that cool` };
      const isConfirmed = !options.all || (await confirmSeveral(meant.length, options, command, action));
      const view = isConfirmed ? reset(vault, meant) : { reset: [], cooldowns: 0 };
      print(options.json, view, () => {
        if (!isConfirmed) return text`Nothing was reset.`;
        if (options.all) return text`Reset ${view.reset.length}.`;
        return lines(meant.map(({ name, id }) => text`${name} (${id}) is back.`));
      });
      if (!isConfirmed) process.exitCode = EXIT.failure;
    });
  },
});

function reset(vault: Vault, meant: readonly ProxyConfig[]): ResetView {
  const cooldownsOf = cooldownViewer(vault);
  // While somebody was asked, a proxy may have been removed.
  const ids = meant.map(({ id }) => id).filter((id) => vault.proxies.findById(id) !== null);
  const cooldowns = ids.reduce((sum, id) => sum + cooldownsOf(id).length, 0);
  vault.pool.reset(ids);
  return { reset: ids, cooldowns };
}
