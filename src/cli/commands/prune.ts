import { setImmediate as nextTurn } from 'node:timers/promises';

import type { DatabaseManager } from '../../database/index.ts';
import { patiently } from '../../database/patience.ts';
import { ProxyVaultError } from '../../errors.ts';
import type { PruneView } from '../../views/changes.ts';
import { duration } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { lines } from '../terminal.ts';

interface PruneCommandOptions extends CommonOptions {
  eventsOlderThan?: number;
  usageOlderThan?: number;
  vacuum?: boolean;
}

type Removed = Pick<PruneView, 'removedEvents' | 'removedUsageRows'>;

/** So many rows go in one transaction, which takes some milliseconds; then others have their turn. */
const PIECE = 5000;

export const pruneCommand = bareCommand({
  name: 'prune',
  purpose: 'remove old history, and with --vacuum give its space back to the disk',
  example: 'proxyvault prune --events-older-than 30d --usage-older-than 400d --vacuum',
  notes: `The newest event stays, so that there is always a last one to see. --vacuum writes the whole file again: it needs as much memory and
free space as the file has, and nobody may use the pool meanwhile.`,
  takes: (command) =>
    command
      .option('--events-older-than <age>', 'remove rotation events that are older, such as 30d', duration)
      .option('--usage-older-than <age>', 'remove usage of days (UTC) that are older, such as 400d', duration)
      .option('--vacuum', 'give the space of removed rows back to the disk'),
  async act(options: PruneCommandOptions, command) {
    const { eventsOlderThan, usageOlderThan, vacuum, json } = options;
    if (eventsOlderThan === undefined && usageOlderThan === undefined && !vacuum)
      command.error('error: say what to remove: --events-older-than, --usage-older-than or --vacuum');
    await withVault(options, async ({ database }) => {
      const report = await prune(database, options);
      print(json, report, () => lines(describe(report)));
    });
  },
});

async function prune(
  db: DatabaseManager,
  { eventsOlderThan, usageOlderThan, vacuum }: PruneCommandOptions,
): Promise<PruneView> {
  const limits = {
    eventsOlderThan: before(db, eventsOlderThan),
    statsOlderThan: before(db, usageOlderThan),
    limit: PIECE,
  };
  const removed: Removed = { removedEvents: 0, removedUsageRows: 0 };
  for (let isMore = limits.eventsOlderThan !== undefined || limits.statsOlderThan !== undefined; isMore; ) {
    const { events, stats, ...others } = await withRemoved(removed, 'and the rest was not', () =>
      patiently(() => db.prune(limits)),
    );
    removed.removedEvents += events;
    removed.removedUsageRows += stats;
    isMore = [events, stats, ...Object.values(others)].includes(PIECE);
    await nextTurn();
  }
  const { freedBytes, complete } = vacuum
    ? await withRemoved(removed, 'but their space was not given back', () => db.vacuum())
    : NO_VACUUM;
  const { freePages, pageSize } = await db.stats();
  return { ...removed, freedBytes, reusableBytes: freePages * pageSize, complete };
}

const NO_VACUUM = { freedBytes: null, complete: true };

/** @throws what `work` throws; the message says which rows are gone already. */
async function withRemoved<T>(
  { removedEvents, removedUsageRows }: Removed,
  whatNot: string,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProxyVaultError) || removedEvents + removedUsageRows === 0) throw error;
    const { code, message, details } = error;
    const gone = `${removedEvents} events and ${removedUsageRows} rows of usage were removed`;
    throw new ProxyVaultError(code, `${gone}, ${whatNot}: ${message}`, { cause: error, details });
  }
}

/** The time that is so long ago; nothing is older than the clock itself. */
function before(db: DatabaseManager, milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(Math.max(0, db.clock() - milliseconds));
}

function describe(view: PruneView): string[] {
  const { removedEvents, removedUsageRows, freedBytes, reusableBytes, complete } = view;
  const removed = `Removed ${removedEvents} events and ${removedUsageRows} rows of usage (one for each proxy and day).`;
  if (freedBytes === null)
    return [removed, `${reusableBytes} bytes of the file are free for new rows; --vacuum gives them back.`];
  return [
    removed,
    complete
      ? `The pool is ${freedBytes} bytes smaller.`
      : 'A reader holds the file, which gets smaller when the reader is done.',
  ];
}
