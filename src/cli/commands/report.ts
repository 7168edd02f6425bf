import { Option } from 'commander';
import { milliseconds } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import { type CommonOptions, withVault } from '../open-vault.ts';
import { print, rounded } from '../output.ts';
import { text } from '../terminal.ts';

interface ReportOptions extends CommonOptions {
  ok?: boolean;
  fail?: boolean;
  latency?: number;
}

export const reportCommand = bareCommand({
  name: 'report',
  purpose: 'say whether a proxy worked',
  example: 'proxyvault report 0199c0de-0000-7000-8000-000000000001 --ok --latency 230ms',
  takes: (command) =>
    command
      .argument('<id>')
      .addOption(new Option('--ok', 'it worked').conflicts('fail'))
      .option('--fail', 'it did not')
      .option(
        '--latency <time>',
        'how long it took, such as 230ms or 1.5s, or in milliseconds',
        milliseconds,
      ),
  async act(options: ReportOptions, command, id: string) {
    if (!options.ok && !options.fail) command.error('error: say --ok or --fail');
    await withVault(options, ({ rotator, proxies }) => {
      rotator.report(id, { success: options.ok === true, latencyMs: options.latency });
      const proxy = proxies.findById(id);
      print(
        options.json,
        proxy,
        () =>
          text`${proxy?.name ?? id}: ${proxy?.status}, ${proxy?.totalRequests} requests, ${rounded(proxy?.successRate ?? null)} % success, ${proxy?.failureCount} failures in a row.`,
      );
    });
  },
});
