import { type Command, Option } from 'commander';

import { PROXY_PROTOCOLS } from '../../database/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { LIST_FORMATS, type ListFormat } from '../../lists/index.ts';
import type { ProxyProtocol } from '../../model/proxy.ts';
import { invalidInput } from '../../model/validation.ts';
import { openVault } from '../../open-vault.ts';
import type { ImportResult, MaxRemove } from '../../transfer/index.ts';
import type { Vault } from '../../vault.ts';
import { numberOrShare, positiveNumber } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { EXIT } from '../exit-codes.ts';
import { describeImport, warnOfStop } from '../import-report.ts';
import { findLists, type ListFiles } from '../list-files.ts';
import { note } from '../note.ts';
import { keySourceOf, withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { type Progress, startProgress } from '../progress.ts';
import { keepMemorySteady } from '../steady-memory.ts';
import { text } from '../terminal.ts';

interface ImportOptions extends CommonOptions {
  format: ListFormat;
  protocol?: ProxyProtocol;
  strictProtocol?: boolean;
  tag?: string;
  sync?: boolean;
  maxRemove?: MaxRemove;
  force?: boolean;
  dryRun?: boolean;
  batch?: number;
  localDns?: boolean;
}

export const importCommand = bareCommand({
  name: 'import',
  purpose: 'add the proxies of a list in any format of docs/formats.md',
  key: 'logins',
  example: 'proxyvault import proxies.txt --tag provider-a --sync',
  takes: (command) =>
    command
      .argument('<file>', 'the list: a file, a folder with lists, or - for standard input')
      .addOption(
        new Option('--format <format>', 'the format of the list').choices(LIST_FORMATS).default('auto'),
      )
      .addOption(
        new Option('--protocol <protocol>', 'of lines that name none (default: http)').choices(
          PROXY_PROTOCOLS,
        ),
      )
      .option('--strict-protocol', 'reject lines that name no protocol, unless --protocol names it')
      .option(
        '--local-dns',
        'of SOCKS proxies: clients resolve names, in the open, unless the list says socks5h',
      )
      .option('--tag <tag>', 'a tag for each proxy of the list')
      .option('--sync', 'make the pool equal to the list for this tag: remove what left the list')
      .option(
        '--max-remove <n>',
        'stop a sync that would remove more than this share (80%) or number of proxies (default: 50%, or 9 proxies if that is more)',
        numberOrShare,
      )
      .option(
        '--force',
        'sync in any case: with a list that is empty or incomplete, and without --max-remove',
      )
      .option('--dry-run', 'say what the import would do, and change nothing')
      .option('--batch <n>', 'commit after every n proxies, and not once for all', positiveNumber),
  async act(options: ImportOptions, command, path: string) {
    assertUsedRightly(path, options, command);
    keepMemorySteady();
    if (path === '-' && process.stdin.isTTY)
      note(
        options,
        text`Reading the list from the terminal: paste it, and end it with Ctrl-D on a line of its own.\n`,
      );
    const reading = startProgress('Reading', options);
    const lists = findLists(path, reading.update);
    const work = (vault: Vault): Promise<ImportResult> => run(vault, lists, options, reading);
    const result = await (options.dryRun
      ? rehearse(work, options)
      : withVault(options, work, { create: true, unlock: true }));
    print(options.json, result, () => describeImport(result));
    assertFound(result);
    if (result.removal?.stopped) process.exitCode = EXIT.failure;
  },
});

/** Ends with exit code 2 for an empty path, as of an empty variable, for a sync without a tag, and for an option without its sync. */
function assertUsedRightly(path: string, options: ImportOptions, command: Command): void {
  const { sync, tag, maxRemove, force } = options;
  if (path === '') command.error('error: the path of the list is empty');
  if (!sync && maxRemove !== undefined)
    command.error('error: --max-remove is for a sync: add --sync and --tag');
  if (!sync && force) command.error('error: --force is for a sync: add --sync and --tag');
  if (sync && tag === undefined)
    command.error('error: --sync needs --tag: it removes what left the list of that tag');
}

/** @throws INVALID_INPUT if every line was rejected. */
function assertFound({ refused, added, updated, unchanged }: ImportResult): void {
  if (refused.length === 0 || added + updated + unchanged > 0) return;
  throw invalidInput('No proxy was found in the list, so nothing was imported: the rejections say why.');
}

/** A dry run creates no pool: without one, it runs on an empty pool in memory. */
async function rehearse(
  work: (vault: Vault) => Promise<ImportResult>,
  options: ImportOptions,
): Promise<ImportResult> {
  try {
    return await withVault(options, work, { unlock: true });
  } catch (error) {
    // If the pool exists and cannot be opened, the error has a cause.
    const isAbsent =
      error instanceof ProxyVaultError && error.code === 'CANNOT_OPEN' && error.cause === undefined;
    if (!isAbsent) throw error;
    await using vault = await openVault({ path: ':memory:', keySource: keySourceOf(options), unlock: false });
    return await work(vault);
  }
}

async function run(
  vault: Vault,
  lists: ListFiles,
  options: ImportOptions,
  reading: Progress,
): Promise<ImportResult> {
  const { format, protocol, strictProtocol, localDns, tag, sync, json } = options;
  const { maxRemove, force, dryRun, batch } = options;
  const storing = startProgress('Importing', options);
  try {
    return await vault.import(lists, {
      ...{ format, protocol, tag, sync, maxRemove, force, dryRun, batch },
      strictProtocol: strictProtocol && protocol === undefined,
      remoteDns: localDns ? false : undefined,
      onStopped: (removal) => warnOfStop(json, removal),
      onProgress: (progress) => {
        if (progress.phase === 'reading') return;
        reading.stop();
        storing.update(progress.done, progress.total);
      },
    });
  } finally {
    reading.stop();
    storing.stop();
  }
}
