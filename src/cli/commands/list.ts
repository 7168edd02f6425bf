import { type Command, InvalidArgumentError, Option } from 'commander';
import { validate as isUuid } from 'uuid';

import type { ProxyListing, StatusCounts } from '../../database/repositories/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { PROXY_SORT_FIELDS, PROXY_STATES, type ProxySort } from '../../model/proxy.ts';
import type { Vault } from '../../vault.ts';
import { pageView } from '../../views/proxy.ts';
import { pageSize } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { cooldownTable } from '../cooldown-table.ts';
import { EXIT } from '../exit-codes.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { givenFilter, withProxyFilter } from '../proxy-filter-options.ts';
import { proxyTable } from '../proxy-table.ts';
import { lines, text } from '../terminal.ts';
import { warnOfUnreadable } from '../unreadable-logins.ts';

type ListOptions = CommonOptions & ProxyListing & { reveal?: boolean };

export const listCommand = bareCommand({
  name: 'list',
  purpose: 'show the pool, a page at a time',
  example: 'proxyvault list --tag mine --status active --sort -successRate --limit 20',
  notes: `On a terminal the table fits its width: ids get shorter, which every command takes as they are, and columns are left out. A pipe
gets everything. With --state cooling or probing there is a line for each cooldown: of the whole proxy, or of one domain or session.`,
  takes: (command: Command) =>
    withProxyFilter(command)
      .addOption(
        new Option(
          '--state <state>',
          'ready: may be handed out now; cooling: out for a time, with until when and why; probing: that time is over, and one request may try',
        ).choices(PROXY_STATES),
      )
      .option(
        '--sort <key>',
        `${PROXY_SORT_FIELDS.join(', ')}; with a - before it the highest first`,
        sortKey,
      )
      .option('--limit <n>', 'how many', pageSize, 50)
      .option('--after <place>', 'begin where the last page of the same order ended')
      .option('--reveal', 'show usernames and passwords'),
  key: '--reveal',
  reads: true,
  act: (options: ListOptions, command) =>
    withVault(
      options,
      (vault) => {
        if (!isPlace(vault, options))
          command.error(
            'error: --after takes what the page before printed after "More: --after", with the same --sort; leave it out for the first page',
          );
        show(vault, options);
      },
      { unlock: options.reveal === true, reads: true },
    ),
});

function show(vault: Vault, options: ListOptions): void {
  if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
  const { limit, after, sort, json } = options;
  const { state } = options;
  const filter = { ...givenFilter(options), state };
  const page = pageView(vault, { ...filter, limit, after, sort }, options);
  const { items, next, total, counts, cooling } = page;
  print(json, page, () => {
    const more = next === null ? '' : ` More: --after ${next}`;
    const isOut = state === 'cooling' || state === 'probing';
    const table = isOut ? cooldownTable(vault, items, state) : proxyTable(vault, items);
    const hint =
      isOut || cooling === 0 ? [] : [`${cooling} cooling: --state cooling says until when and why.`];
    return lines([table, ...inWords(counts), ...hint, text`${items.length} of ${total}.${more}`]);
  });
  const unreadable = items.flatMap(({ id, problem }) => (problem ? [{ id, ...problem }] : []));
  warnOfUnreadable(json, unreadable);
  if (unreadable.length > 0) process.exitCode = EXIT.failure;
}

/** Whether `--after` is what a page of this order printed. By id it is an id, also of a proxy that was removed meanwhile. */
function isPlace({ proxies }: Vault, { after, sort = 'id' }: ListOptions): boolean {
  if (after === undefined) return true;
  if (after === '') return false;
  if (sort === 'id' || sort === '-id') return isUuid(after) || proxies.findById(after) !== null;
  try {
    proxies.list({ after, sort, limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof ProxyVaultError && error.code === 'INVALID_INPUT') return false;
    throw error;
  }
}

/** How many proxies have each status that there is, in a line. */
function inWords(counts: Omit<StatusCounts, 'total'>): string[] {
  const counted = Object.entries(counts).filter(([, n]) => n > 0);
  return counted.length === 0 ? [] : [`${counted.map(([status, n]) => `${n} ${status}`).join(', ')}.`];
}

function sortKey(key: string): ProxySort {
  const field = PROXY_SORT_FIELDS.find((each) => key === each || key === `-${each}`);
  if (field !== undefined) return key as ProxySort;
  throw new InvalidArgumentError(
    `It must be one of ${PROXY_SORT_FIELDS.join(', ')}, with a - before it to begin with the highest.`,
  );
}
