import { type Command, InvalidArgumentError, Option } from 'commander';

import type { DailyUsage, DayRange, UsageSort, UsageTotals } from '../../database/repositories/index.ts';
import type { Vault } from '../../vault.ts';
import {
  type PoolState,
  proxyUsageView,
  type UsageByDayView,
  type UsageByProxyView,
  usageByDayView,
  usageByProxyView,
} from '../../views/usage.ts';
import { positiveNumber } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { type Cell, details, print, rounded, table } from '../output.ts';
import { lines, type Text, text } from '../terminal.ts';
import { fromOf, type TimeOptions, withTimes } from '../time-options.ts';

interface StatsOptions extends CommonOptions, TimeOptions {
  by?: 'day' | 'proxy';
  sort?: UsageSort;
  limit?: number;
}

/** As a person means it: the most requests, failures and latency first, and the lowest success rate. */
const SORTS: Record<string, UsageSort> = {
  requests: '-requests',
  failures: '-failures',
  latency: '-latency',
  successRate: 'successRate',
  id: 'id',
};

export const statsCommand = bareCommand({
  name: 'stats',
  purpose: 'the state of the pool, and usage by day (UTC) or by proxy',
  example: 'proxyvault stats --by proxy --sort failures --since 7d --limit 20',
  takes: (command: Command) =>
    withTimes(command.argument('[id]', `one proxy alone: ${PROXY_ARGUMENT}`), {
      from: 'YYYY-MM-DD, inclusive',
      to: 'YYYY-MM-DD, inclusive',
    })
      .addOption(new Option('--by <what>', 'a line for each (default: day)').choices(['day', 'proxy']))
      .addOption(
        new Option(
          '--sort <key>',
          `with --by proxy: ${Object.keys(SORTS).join(', ')}, the most first, but successRate from the lowest; a - before it turns the order`,
        ).argParser(sortKey),
      )
      .option('--limit <n>', 'with --by proxy: how many (default: 20)', positiveNumber),
  reads: true,
  async act(options: StatsOptions, command, typed?: string) {
    if (typed !== undefined && options.by !== undefined)
      command.error('error: both a proxy and --by are given: leave one of them out');
    if (options.by !== 'proxy' && (options.sort ?? options.limit) !== undefined)
      command.error('error: --sort and --limit need --by proxy');
    const show = (vault: Vault): void | Promise<void> =>
      typed === undefined ? ofPool(vault, options) : ofProxy(vault, options, typed);
    await withVault(options, show, { reads: true });
  },
});

async function ofPool(vault: Vault, { by, sort, limit = 20, json, ...times }: StatsOptions): Promise<void> {
  const range = daysOf(times, vault);
  if (by === 'proxy') {
    const view = await usageByProxyView(vault, { ...range, sort, limit });
    const rows = view.byProxy.map((each) => [[each.proxyId, each.name], each] as const);
    print(json, view, () => withState(view, tableOf(['PROXY', 'NAME'], rows, view.totals)));
    return;
  }
  const view = await usageByDayView(vault, range);
  print(json, view, () => withState(view, usageTable(view.days, view.totals)));
}

/** A table of usage, with the state of the pool above and below it. */
function withState({ proxies, database, pool }: UsageByDayView | UsageByProxyView, usage: Text): Text {
  const { fileBytes, walBytes } = database;
  return lines([
    stateOf(proxies, pool),
    '',
    usage,
    '',
    `${fileBytes} bytes and ${walBytes} in the write-ahead log.`,
  ]);
}

function daysOf(times: TimeOptions, { database }: Vault): DayRange {
  return { from: fromOf(times, database.clock())?.slice(0, 10), to: times.to };
}

function ofProxy(vault: Vault, { json, ...times }: StatsOptions, typed: string): void {
  const view = proxyUsageView(vault, vault.proxies.resolve(typed), daysOf(times, vault));
  const { proxy, days, totals } = view;
  const rows = days.map((day) => [[day.date], day] as const);
  print(json, view, () =>
    lines([
      text`${proxy.name} (${proxy.id}): ${proxy.status}, ${proxy.failureCount} failures in a row.`,
      '',
      tableOf(['DAY'], rows, totals),
    ]),
  );
}

function stateOf(
  { total, withLogin, withoutLogin, ...statuses }: PoolState,
  { states }: UsageByDayView['pool'],
): Text {
  const now = Object.entries(states).filter(([, count]) => count > 0);
  return details(
    [
      ['proxies', total],
      ...Object.entries(statuses),
      ['now', now.map(([state, count]) => `${count} ${state}`).join(', ')],
      ['with login', withLogin],
      ['without', withoutLogin],
    ],
    12,
  );
}

export function usageTable(days: readonly DailyUsage[], totals: UsageTotals): Text {
  return tableOf(
    ['DAY', 'PROXIES'],
    days.map((day) => [[day.date, day.proxyCount], day]),
    totals,
  );
}

/** Usage, each line with its first cells, and the totals of all below. */
function tableOf(
  head: readonly string[],
  rows: readonly (readonly [first: readonly Cell[], usage: UsageTotals])[],
  totals: UsageTotals,
): Text {
  const blank = head.slice(1).map(() => null);
  return table(
    [...head, 'REQUESTS', 'SUCCESS %', 'FAILURES', 'LATENCY MS'],
    [...rows, [['total', ...blank], totals] as const].map(([first, usage]) => [
      ...first,
      usage.requestCount,
      rounded(usage.successRate),
      usage.failureCount,
      rounded(usage.meanLatencyMs, 0),
    ]),
  );
}

function sortKey(key: string): UsageSort {
  const name = key.replace(/^-/, '');
  const sort = Object.hasOwn(SORTS, name) ? SORTS[name] : undefined;
  if (sort === undefined)
    throw new InvalidArgumentError(
      `It must be one of ${Object.keys(SORTS).join(', ')}, or one with a - before it.`,
    );
  if (!key.startsWith('-')) return sort;
  return (sort.startsWith('-') ? sort.slice(1) : `-${sort}`) as UsageSort;
}
