import { Option } from 'commander';
import { proxyViewer } from '../../views/proxy.ts';
import { milliseconds } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
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
  example: 'proxyvault report gate.example.com:1080 --ok --latency 230ms',
  takes: (command) =>
    command
      .argument('<id>', PROXY_ARGUMENT)
      .addOption(new Option('--ok', 'it worked').conflicts('fail'))
      .option('--fail', 'it did not')
      .option(
        '--latency <time>',
        'how long it took, such as 230ms or 1.5s, or in milliseconds',
        milliseconds,
      ),
  async act(options: ReportOptions, command, typed: string) {
    if (!options.ok && !options.fail) command.error('error: say --ok or --fail');
    await withVault(options, (vault) => {
      const proxy = vault.database.transaction(() => {
        const { id } = vault.proxies.resolve(typed);
        vault.pool.report(id, { success: options.ok === true, latencyMs: options.latency });
        return vault.proxies.resolve(id);
      });
      const view = proxyViewer(vault, {})(proxy);
      const { name, status, totalRequests, successRate, failureCount } = view;
      print(
        options.json,
        view,
        () =>
          text`${name}: ${status}, ${totalRequests} requests, ${rounded(successRate)} % success, ${failureCount} failures in a row.`,
      );
    });
  },
});
