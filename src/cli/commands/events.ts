import { type Command, Option } from 'commander';

import type { RotationEvent, RotationReason } from '../../database/index.ts';
import { ROTATION_REASONS } from '../../model/rotation.ts';
import type { Vault } from '../../vault.ts';
import { eventsByHourView, eventsView } from '../../views/events.ts';
import { positiveNumber } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print, table } from '../output.ts';
import { type Text, text } from '../terminal.ts';
import { fromOf, type TimeOptions, withTimes } from '../time-options.ts';

interface EventsOptions extends CommonOptions, TimeOptions {
  limit?: number;
  proxy?: string;
  reason?: RotationReason;
  by?: 'hour';
}

export const eventsCommand = bareCommand({
  name: 'events',
  purpose: 'the rotation history, newest first, or how much happened in each hour',
  example: 'proxyvault events --reason failure --since 24h --limit 5',
  takes: (command: Command) =>
    withTimes(command, {
      from: 'a day or a time as ISO 8601, such as 2026-01-31T12:00:00Z, inclusive',
      to: 'the same, exclusive',
    })
      .option('--proxy <id>', `from or to this one: ${PROXY_ARGUMENT}`)
      .addOption(new Option('--reason <reason>', 'only those for this reason').choices(ROTATION_REASONS))
      .addOption(new Option('--by <what>', 'count them by hour (UTC) instead').choices(['hour']))
      .option('--limit <n>', 'how many (default: 20)', positiveNumber),
  reads: true,
  act(options: EventsOptions, command) {
    if (options.by !== undefined && options.limit !== undefined)
      command.error('error: --by counts every event: leave --limit out, or choose the hours by --since');
    return withVault(options, (vault) => show(vault, options), { reads: true });
  },
});

function show(vault: Vault, options: EventsOptions): void {
  const { reason, to, json, by, limit = 20 } = options;
  const proxyId = options.proxy === undefined ? undefined : vault.proxies.resolve(options.proxy).id;
  const filter = { proxyId, reason, from: fromOf(options, vault.database.clock()), to };
  if (by === 'hour') {
    const view = eventsByHourView(vault, filter);
    const rows = view.hours.map(({ hour, ...reasons }) => [
      hour,
      ...ROTATION_REASONS.map((each) => reasons[each]),
    ]);
    const head = ['HOUR', ...ROTATION_REASONS.map((each) => each.toUpperCase())];
    print(json, view, () => text`${table(head, rows)}\n${countsOf(view.counts)}`);
    return;
  }
  const view = eventsView(vault, filter, limit);
  print(json, view, () => text`${eventTable(view.events)}\n${countsOf(view.counts)}`);
}

/** How many events there are for each reason, in a sentence. */
export function countsOf(counts: Readonly<Record<string, number>>): string {
  const counted = Object.entries(counts).map(([reason, n]) => `${n} ${reason}`);
  return `${counted.join(', ')}.`;
}

export function eventTable(events: readonly RotationEvent[]): Text {
  return table(
    ['TIME', 'REASON', 'FROM', 'TO'],
    events.map(({ timestamp, reason, previousProxyId, newProxyId }) => [
      timestamp,
      reason,
      previousProxyId,
      newProxyId,
    ]),
  );
}
