import { Command } from 'commander';
import type { RotationEvent } from '../../database/index.ts';
import { RotationEventsRepository } from '../../database/repositories/index.ts';
import { wholeNumber } from '../arguments.ts';
import { print, table } from '../output.ts';
import { type Text, text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function eventsCommand(): Command {
  return withVaultOptions(
    new Command('events')
      .description('the rotation history, newest first')
      .option('--limit <n>', 'how many', wholeNumber, 20),
    'proxyvault events --limit 5',
  ).action((options: VaultOptions & { limit: number }) =>
    withVault(options, ({ db }) => {
      const repository = new RotationEventsRepository(db);
      const events = repository.recent(options.limit);
      const counts = repository.countByReason();
      print(
        options.json,
        { events, counts },
        () =>
          text`${eventTable(events)}\n${Object.entries(counts)
            .map(([reason, n]) => `${n} ${reason}`)
            .join(', ')}.`,
      );
    }),
  );
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
