import type { Command } from 'commander';

import type { StatusChangeView } from '../../views/changes.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { meantProxies, PROXY_ARGUMENT } from '../meant-proxies.ts';
import { print } from '../output.ts';
import { statusUpdate } from '../status-update.ts';
import { lines, type Text, text } from '../terminal.ts';

export const enableCommand = statusCommand(
  'enable',
  'active',
  'let proxies be handed out again: all of them, or none',
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
      const view: StatusChangeView = { status, changed: ids(report.changed), already: ids(report.already) };
      print(json, view, () =>
        lines([
          ...report.changed.map((proxy) => line(proxy, `is ${status} now`)),
          ...report.already.map((proxy) => line(proxy, `was ${status} already`)),
        ]),
      );
    },
  });
}

function line({ name, id }: { name: string; id: string }, what: string): Text {
  return text`${name} (${id}) ${what}.`;
}
