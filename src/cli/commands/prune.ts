import { setImmediate as nextTurn } from 'node:timers/promises';

import type { DatabaseManager } from '../../database/index.ts';
import { patiently } from '../../database/patience.ts';
import { ProxyVaultError } from '../../errors.ts';
import type { PruneView } from '../../views/changes.ts';
import { age } from '../arguments.ts';
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

/** So many rows go in one transaction, which takes some milliseconds; then others have their turn. */
const PIECE = 5000;

export const pruneCommand = bareCommand({
  name: 'prune',
  purpose: 'remove old history, and with --vacuum give its space back to the disk',
  example: 'proxyvault prune --events-older-than 30d --usage-older-than 400d --vacuum',
  notes: `The newest event stays, since rotation continues from it. --vacuum writes the whole file again: it needs as much memory and
free space as the file has, and nobody may use the pool meanwhile.`,
  takes: (command) =>
    command
      .option('--events-older-than <age>', 'remove rotation events that are older, such as 30d', age)
      .option('--usage-older-than <age>', 'remove usage of days (UTC) that are older, such as 400d', age)
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
  let events = 0;
  let usage = 0;
  for (let isMore = limits.eventsOlderThan !== undefined || limits.statsOlderThan !== undefined; isMore; ) {
    const removed = await patiently(() => db.prune(limits));
    events += removed.events;
    usage += removed.stats;
    isMore = removed.events === PIECE || removed.stats === PIECE;
    await nextTurn();
  }
  const { freedBytes, complete } = vacuum ? vacuumed(db, { events, usage }) : NO_VACUUM;
  const { freePages, pageSize } = await db.stats();
  return { events, usage, freedBytes, reusableBytes: freePages * pageSize, complete };
}

const NO_VACUUM = { freedBytes: null, complete: true };

/** @throws as `vacuum`; the message says which rows are gone already. */
function vacuumed(
  db: DatabaseManager,
  { events, usage }: { events: number; usage: number },
): { freedBytes: number; complete: boolean } {
  try {
    return db.vacuum();
  } catch (error) {
    if (!(error instanceof ProxyVaultError) || events + usage === 0) throw error;
    const { code, message, details } = error;
    const gone = `${events} events and ${usage} rows of usage were removed, but their space was not given back`;
    throw new ProxyVaultError(code, `${gone}: ${message}`, { cause: error, details });
  }
}

/** The time that is so long ago; nothing is older than the clock itself. */
function before(db: DatabaseManager, milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(Math.max(0, db.clock() - milliseconds));
}

function describe({ events, usage, freedBytes, reusableBytes, complete }: PruneView): string[] {
  const removed = `Removed ${events} events and ${usage} rows of usage (one for each proxy and day).`;
  if (freedBytes === null)
    return [removed, `${reusableBytes} bytes of the file are free for new rows; --vacuum gives them back.`];
  return [
    removed,
    complete
      ? `The pool is ${freedBytes} bytes smaller.`
      : 'A reader holds the file, which gets smaller when the reader is done.',
  ];
}
