import { Command, Option } from 'commander';

import { initDatabase, PROXY_PROTOCOLS } from '../../database/index.ts';
import { EncryptionService } from '../../database/services/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { LIST_FORMATS, type ListedProtocol, type ListFormat } from '../../lists/index.ts';
import { type ImportResult, importProxies, type Refusal } from '../../transfer/index.ts';
import { wholeNumber } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { findLists, type ListFiles } from '../list-files.ts';
import { print, table } from '../output.ts';
import { type Progress, startProgress } from '../progress.ts';
import { keepMemorySteady } from '../steady-memory.ts';
import { lines, type Text, text } from '../terminal.ts';
import { keySourceOf, type Vault, type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

interface ImportOptions extends VaultOptions {
  format: ListFormat;
  protocol: ListedProtocol;
  tag?: string;
  sync?: boolean;
  force?: boolean;
  dryRun?: boolean;
  batch?: number;
  localDns?: boolean;
}

const SHOWN_REFUSALS = 20;

export function importCommand(): Command {
  return withVaultOptions(
    new Command('import')
      .description('add the proxies of a list in any format of docs/formats.md')
      .argument('<file>', 'the list; - reads standard input, a folder all lists in it')
      .addOption(
        new Option('--format <format>', 'what it is written in').choices(LIST_FORMATS).default('auto'),
      )
      .addOption(
        new Option('--protocol <protocol>', 'of lines that name none')
          .choices(PROXY_PROTOCOLS)
          .default('http'),
      )
      .option(
        '--local-dns',
        'of SOCKS proxies: clients resolve names, in the open, unless the list says socks5h',
      )
      .option('--tag <tag>', 'a tag for each proxy of the list')
      .option('--sync', 'make the pool equal to the list for this tag: remove what left it')
      .option('--force', 'sync also with a list that is empty or incomplete')
      .option('--dry-run', 'say what would be done, and change nothing')
      .option('--batch <n>', 'commit after each so many proxies, in place of all at once', wholeNumber),
    'proxyvault import proxies.txt --tag provider-a --sync',
  ).action(async (path: string, options: ImportOptions) => {
    keepMemorySteady();
    const reading = startProgress('Reading', options);
    const lists = findLists(path, reading.update);
    const work = (vault: Vault): Promise<ImportResult> => run(vault, lists, options, reading);
    const result = await (options.dryRun
      ? rehearse(work, options)
      : withVault(options, work, { create: true, unlock: true }));
    print(options.json, result, () => describeImport(result));
    if (result.refused.length > 0 && result.added + result.updated + result.unchanged === 0)
      process.exitCode = EXIT.failure;
  });
}

/** A dry run makes no pool: where there is none, it is run on an empty one in memory. */
async function rehearse(
  work: (vault: Vault) => Promise<ImportResult>,
  options: ImportOptions,
): Promise<ImportResult> {
  try {
    return await withVault(options, work, { unlock: true });
  } catch (error) {
    // That of a pool which is there and cannot be opened has a cause.
    const isAbsent =
      error instanceof ProxyVaultError && error.code === 'CANNOT_OPEN' && error.cause === undefined;
    if (!isAbsent) throw error;
    await using db = initDatabase({ path: ':memory:' });
    db.migrations.up();
    return await work({
      db,
      encryption: new EncryptionService({ keySource: keySourceOf(options), database: db }),
    });
  }
}

async function run(
  { db, encryption }: Vault,
  lists: ListFiles,
  { format, protocol, localDns, tag, sync, force, dryRun, batch, json }: ImportOptions,
  reading: Progress,
): Promise<ImportResult> {
  const storing = startProgress('Importing', { json });
  try {
    return await importProxies(db, lists, {
      ...{ encryption, format, protocol, tag, sync, force, dryRun, batch },
      remoteDns: localDns ? false : undefined,
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

export function describeImport(result: ImportResult): Text {
  const { added, updated, unchanged, comments, blank, refused, removed, notes = {}, dryRun } = result;
  const refusals = refused.length + (result.refusedMore ?? 0);
  const gone = removed === undefined ? '' : ` ${removed} removed,`;
  const counts = `${result.lines} lines: ${added} added, ${updated} updated, ${unchanged} unchanged,${gone} ${refusals} refused, ${comments} comments, ${blank} blank.`;
  const noted = Object.entries(notes).map(([note, count]) => `Note on ${count}: ${note}.`);
  const dry = dryRun ? ['This was a dry run: nothing was changed.'] : [];
  const summary = lines([counts, ...noted, ...dry]);
  return refusals > 0 ? text`${summary}\n\n${refusalTable(refused, refusals)}` : summary;
}

function refusalTable(refused: readonly Refusal[], count: number): Text {
  const shown = refused.slice(0, SHOWN_REFUSALS);
  const hasFiles = refused.some(({ file }) => file !== undefined);
  const rows = shown.map(({ file = '', line, column, reason, text }) => [
    ...(hasFiles ? [file] : []),
    ...[line, column, reason, text],
  ]);
  const head = [...(hasFiles ? ['FILE'] : []), 'LINE', 'COLUMN', 'REFUSED BECAUSE', 'TEXT (MASKED)'];
  const rest = count - shown.length;
  const more = rest > 0 ? [`... and ${rest} more; --json lists them.`] : [];
  return lines([table(head, rows), ...more]);
}
