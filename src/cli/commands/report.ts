import { Option } from 'commander';
import { ProxyRepository } from '../../database/repositories/index.ts';
import { Rotator } from '../../rotation/index.ts';
import { milliseconds } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import { print, rounded } from '../output.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault } from '../vault.ts';

interface ReportOptions extends VaultOptions {
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
    await withVault(options, ({ db }) => {
      new Rotator(db).report(id, { success: options.ok === true, latencyMs: options.latency });
      const proxy = new ProxyRepository(db).findById(id);
      print(
        options.json,
        proxy,
        () =>
          text`${proxy?.name ?? id}: ${proxy?.status}, ${proxy?.totalRequests} requests, ${rounded(proxy?.successRate ?? null)} % success, ${proxy?.failureCount} failures in a row.`,
      );
    });
  },
});
