import type { Command } from 'commander';

import type { Vault } from '../../vault.ts';
import type { StatusChangeView } from '../../views/changes.ts';
import { cooldownViewer } from '../../views/cooldowns.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { meantProxies, PROXY_ARGUMENT } from '../meant-proxies.ts';
import { print } from '../output.ts';
import { statusUpdate } from '../status-update.ts';
import { lines, type Text, text } from '../terminal.ts';

export const enableCommand = statusCommand(
  'enable',
  'active',
  'let proxies be handed out again, also those that cool: all of them, or none',
);
export const disableCommand = statusCommand(
  'disable',
  'disabled',
  'take proxies out of rotation: all of them, or none',
);

function statusCommand(name: string, status: 'active' | 'disabled', purpose: string): () => Command {
  return poolCommand({
    name,
    purpose,
    example: `proxyvault ${name} gate.example.com:1080`,
    takes: (command) => command.argument('<id...>', PROXY_ARGUMENT),
    run(vault, { json }: CommonOptions, typed: string[]) {
      const { proxies, database } = vault;
      const report = database.transaction(() => {
        const meant = meantProxies(vault, typed);
        const already = meant.filter((proxy) => proxy.status === status);
        const changed = meant.filter((proxy) => proxy.status !== status);
        for (const proxy of changed) proxies.update(proxy.id, statusUpdate(proxy, status));
        return { changed, already };
      });
      const ids = (some: readonly { id: string }[]): string[] => some.map(({ id }) => id);
      const reset = status === 'active' ? letIn(vault, ids([...report.changed, ...report.already])) : [];
      const view: StatusChangeView = {
        status,
        changed: ids(report.changed),
        already: ids(report.already),
        reset,
      };
      const isIn = ({ id }: { id: string }): string => (reset.includes(id) ? ', and no longer cools' : '');
      print(json, view, () =>
        lines([
          ...report.changed.map((proxy) => line(proxy, `is ${status} now${isIn(proxy)}`)),
          ...report.already.map((proxy) => line(proxy, `was ${status} already${isIn(proxy)}`)),
        ]),
      );
    },
  });
}

/** Ends the cooldowns of proxies that a person says are well; gives the ids of those that had one. */
function letIn(vault: Vault, ids: readonly string[]): string[] {
  const cooldownsOf = cooldownViewer(vault);
  const cooling = ids.filter((id) => cooldownsOf(id).length > 0);
  vault.pool.reset(cooling);
  return cooling;
}

function line({ name, id }: { name: string; id: string }, what: string): Text {
  return text`${name} (${id}) ${what}.`;
}
