import type { DailyUsage, UsageTotals } from '../../database/repositories/index.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../open-vault.ts';
import { print, rounded, table } from '../output.ts';
import { type Text, text } from '../terminal.ts';

export const statsCommand = poolCommand({
  name: 'stats',
  purpose: 'usage by day (UTC), and the size of the database',
  example: 'proxyvault stats --from 2026-01-01',
  takes: (command) =>
    command.option('--from <day>', 'YYYY-MM-DD, inclusive').option('--to <day>', 'YYYY-MM-DD, inclusive'),
  async run(vault, options: CommonOptions & { from?: string; to?: string }) {
    const days = vault.usage.range(options);
    const totals = vault.usage.totals({ from: options.from, to: options.to });
    const database = await vault.database.stats();
    print(
      options.json,
      { days, totals, database },
      () =>
        text`${usageTable(days, totals)}\n\n${database.rows.proxies ?? 0} proxies, ${database.fileBytes} bytes and ${database.walBytes} in the write-ahead log.`,
    );
  },
});

export function usageTable(days: readonly DailyUsage[], totals: UsageTotals): Text {
  const row = (
    name: string,
    { requestCount, successRate, failureCount, meanLatencyMs }: UsageTotals,
    proxies: number | null,
  ): (string | number | null)[] => [
    name,
    proxies,
    requestCount,
    rounded(successRate),
    failureCount,
    rounded(meanLatencyMs, 0),
  ];
  return table(
    ['DAY', 'PROXIES', 'REQUESTS', 'SUCCESS %', 'FAILURES', 'LATENCY MS'],
    [...days.map((day) => row(day.date, day, day.proxyCount)), row('total', totals, null)],
  );
}
