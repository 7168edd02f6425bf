import type { RotationEvent } from '../../database/index.ts';
import { wholeNumber } from '../arguments.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../open-vault.ts';
import { print, table } from '../output.ts';
import { type Text, text } from '../terminal.ts';

export const eventsCommand = poolCommand({
  name: 'events',
  purpose: 'the rotation history, newest first',
  example: 'proxyvault events --limit 5',
  takes: (command) => command.option('--limit <n>', 'how many', wholeNumber, 20),
  run(vault, { json, limit }: CommonOptions & { limit: number }) {
    const events = vault.events.recent(limit);
    const counts = vault.events.countByReason();
    print(json, { events, counts }, () => text`${eventTable(events)}\n${countsOf(counts)}`);
  },
});

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
