import { createReadStream, statSync } from 'node:fs';
import { Command, Option } from 'commander';

import type { ProxyInput } from '../../database/index.ts';
import { ProxyRepository } from '../../database/repositories/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { type ListedProxy, type ListVerdict, parseProxyList } from '../../lists/index.ts';
import { EXIT } from '../fail.ts';
import { print, table } from '../output.ts';
import { startProgress } from '../progress.ts';
import { type Vault, type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

type Refused = Extract<ListVerdict, { kind: 'refused' }>;

/** What an import did, line by line. */
export interface ImportResult {
  lines: number;
  added: number;
  updated: number;
  unchanged: number;
  comments: number;
  blank: number;
  refused: Pick<Refused, 'line' | 'column' | 'code' | 'reason' | 'text'>[];
}

const SHOWN_REFUSALS = 20;

export function importCommand(): Command {
  return withVaultOptions(
    new Command('import')
      .description(
        'add the proxies of a list: host:port, host:port:user:pass, user:pass@host:port or URLs, one a line',
      )
      .argument('<file>', 'the list; - reads standard input')
      .addOption(
        new Option('--protocol <protocol>', 'of lines that name none')
          .choices(['http', 'https', 'socks4', 'socks5'])
          .default('http'),
      ),
    'proxyvault import proxies.txt --protocol socks5',
  ).action(async (file: string, options: VaultOptions & { protocol: ListedProxy['protocol'] }) => {
    const source = openList(file);
    const result = await withVault(options, (vault) => importList(vault, source, options), {
      create: true,
      unlock: true,
    });
    print(options.json, result, () => describeImport(result));
    if (result.refused.length > 0 && result.added + result.updated + result.unchanged === 0)
      process.exitCode = EXIT.failure;
  });
}

/** Reads a list and stores it in one transaction: all of it, or, on an error or a crash, nothing. */
export async function importList(
  { db, encryption }: Vault,
  source: AsyncIterable<string | Uint8Array>,
  options: { protocol: ListedProxy['protocol']; json?: boolean | undefined },
): Promise<ImportResult> {
  const result: ImportResult = {
    lines: 0,
    added: 0,
    updated: 0,
    unchanged: 0,
    comments: 0,
    blank: 0,
    refused: [],
  };
  const proxies: ProxyInput[] = [];
  for await (const verdict of parseProxyList(source, options)) {
    result.lines++;
    if (verdict.kind === 'proxy') proxies.push(toInput(verdict.proxy));
    else if (verdict.kind === 'comment') result.comments++;
    else if (verdict.kind === 'blank') result.blank++;
    else result.refused.push(toRefusal(verdict));
  }
  const progress = startProgress('Importing', options);
  try {
    const onProgress = (done: number): void => progress.update(done, proxies.length);
    const summary = new ProxyRepository(db, encryption).importMany(proxies, { onProgress });
    return { ...result, ...summary };
  } finally {
    progress.stop();
  }
}

export function describeImport({
  lines,
  added,
  updated,
  unchanged,
  comments,
  blank,
  refused,
}: ImportResult): string {
  const counts = `${lines} lines: ${added} added, ${updated} updated, ${unchanged} unchanged, ${refused.length} refused, ${comments} comments, ${blank} blank.`;
  if (refused.length === 0) return counts;
  const shown = refused.slice(0, SHOWN_REFUSALS);
  const rest = refused.length - shown.length;
  const rows = shown.map(({ line, column, reason, text }) => [line, column, reason, text]);
  return `${counts}\n\n${table(['LINE', 'COLUMN', 'REFUSED BECAUSE', 'TEXT (MASKED)'], rows)}${rest > 0 ? `\n... and ${rest} more; --json lists all.` : ''}`;
}

function openList(file: string): AsyncIterable<Uint8Array> {
  if (file === '-') return process.stdin;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats) throw new ProxyVaultError('CANNOT_OPEN', `There is no file ${file}: check the path.`);
  if (stats.isDirectory())
    throw new ProxyVaultError('CANNOT_OPEN', `${file} is a folder: name a list in it.`);
  return createReadStream(file);
}

function toInput({ username = '', password = '', ...proxy }: ListedProxy): ProxyInput {
  return username === '' && password === '' ? proxy : { ...proxy, credentials: { username, password } };
}

function toRefusal({ line, column, code, reason, text }: Refused): ImportResult['refused'][number] {
  return { line, column, code, reason, text };
}
