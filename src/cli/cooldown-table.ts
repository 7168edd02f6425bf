import type { Vault } from '../vault.ts';
import type { CooldownView } from '../views/cooldowns.ts';
import type { ListedView } from '../views/proxy.ts';
import { partOf, untilOf, whyOf } from './cooldown-text.ts';
import { type Column, fittedTable, terminalWidth } from './fitted-table.ts';
import type { Cell } from './output.ts';
import type { Text } from './terminal.ts';

/** A line for each cooldown in this state, as wide as the terminal at most. */
export function cooldownTable(
  vault: Vault,
  proxies: readonly ListedView[],
  state: CooldownView['state'],
): Text {
  const rows = proxies.flatMap((proxy) =>
    proxy.cooldowns.filter((each) => each.state === state).map((cooldown) => ({ proxy, cooldown })),
  );
  const column = (
    head: string,
    cellOf: (row: (typeof rows)[number]) => Cell,
    giving: Pick<Column, 'short' | 'least' | 'leaveOut'> = {},
  ): Column => ({ head, cells: rows.map(cellOf), ...giving });
  const shortIds = (): string[] => {
    const short = vault.proxies.shortIds(proxies.map(({ id }) => id));
    return rows.map(({ proxy: { id } }) => short.get(id) ?? id);
  };
  return fittedTable(
    [
      column('ID', ({ proxy }) => proxy.id, { short: shortIds }),
      column('URL', ({ proxy }) => proxy.url, { least: 24, leaveOut: 1 }),
      column('STATUS', ({ proxy }) => proxy.status, { leaveOut: 2 }),
      column('FOR', ({ cooldown }) => partOf(cooldown), { least: 10 }),
      column('UNTIL', ({ cooldown }) => untilOf(cooldown)),
      column('WHY', ({ cooldown }) => whyOf(cooldown), { least: 8 }),
      column('TIMES', ({ cooldown }) => cooldown.times, { leaveOut: 4 }),
      column('BY', ({ cooldown }) => cooldown.source, { leaveOut: 3 }),
    ],
    terminalWidth(),
  );
}
