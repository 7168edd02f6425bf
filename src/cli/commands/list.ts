import { Option } from 'commander';
import { PROXY_PROTOCOLS, PROXY_STATUSES } from '../../database/index.ts';
import type { ProxyListing } from '../../database/repositories/index.ts';
import { wholeNumber } from '../arguments.ts';
import { poolCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { CommonOptions } from '../open-vault.ts';
import { print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { proxyTable, proxyViewer, revealingViewer, warnOfUnreadable } from '../proxy-view.ts';
import { text } from '../terminal.ts';

export const listCommand = poolCommand({
  name: 'list',
  purpose: 'show the pool, a page at a time',
  example: 'proxyvault list --status active --limit 20',
  takes: (command) =>
    command
      .addOption(new Option('--status <status>').choices(PROXY_STATUSES))
      .addOption(new Option('--protocol <protocol>').choices(PROXY_PROTOCOLS))
      .option('--region <region>')
      .option('--search <text>', 'part of the name or host')
      .option('--limit <n>', 'how many', wholeNumber, 50)
      .option('--after <id>', 'begin after this id')
      .option('--reveal', 'show usernames and passwords'),
  key: 'reveal',
  run(vault, options: CommonOptions & ProxyListing & { reveal?: boolean }) {
    if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
    const { status, protocol, region, search, limit, after, reveal, json } = options;
    const filter = { status, protocol, region, search };
    const page = vault.proxies.list({ ...filter, limit, after });
    const items = page.items.map(reveal ? revealingViewer(vault) : proxyViewer(vault, {}));
    print(json, { items, next: page.next }, () => {
      const more = page.next === null ? '' : ` More: --after ${page.next}`;
      return text`${proxyTable(items)}\n${items.length} of ${vault.proxies.count(filter)}.${more}`;
    });
    const unreadable = items.flatMap(({ id, problem }) => (problem ? [{ id, ...problem }] : []));
    warnOfUnreadable(json, unreadable);
    if (unreadable.length > 0) process.exitCode = EXIT.failure;
  },
});
