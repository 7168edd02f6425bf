import { once } from 'node:events';
import { Option } from 'commander';
import { PrivateFile } from '../../files/private-file.ts';
import { EXPORT_FORMATS, type ExportFormat } from '../../lists/index.ts';
import type { LeftOut } from '../../transfer/index.ts';
import type { Vault } from '../../vault.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { EXIT } from '../exit-codes.ts';
import { note } from '../note.ts';
import { withVault } from '../open-vault.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { text as printable, writeData } from '../terminal.ts';
import { warn } from '../warn.ts';

interface ExportOptions extends CommonOptions {
  format: ExportFormat;
  layout?: string;
  tag?: string;
  reveal?: boolean;
  output?: string;
}

/** Only so many are kept in memory: a large pool may leave out thousands. */
const KEPT_LEFT_OUT = 20;
/** Pieces are joined until they have so many characters, and then written. */
const WRITE_SIZE = 65_536;

export const exportCommand = bareCommand({
  name: 'export',
  purpose: 'write the pool as a list, from which import makes an identical pool',
  reads: true,
  example: 'proxyvault export --format json --reveal --output pool.json',
  takes: (command) =>
    command
      .addOption(new Option('--format <format>', 'how it is written').choices(EXPORT_FORMATS).default('urls'))
      .option(
        '--layout <layout>',
        'how the format template writes a line, such as {host}:{port}@{username}:{password}',
      )
      .option('--tag <tag>', 'only the proxies with this tag')
      .option('--reveal', 'write usernames, passwords and change-IP URLs; without it they are masked')
      .option('--output <file>', 'write to a new file that only you can read, and not to standard output'),
  key: '--reveal',
  act(options: ExportOptions, command) {
    if (options.layout !== undefined && options.format !== 'template')
      command.error('error: --layout is for lines of your own: add --format template');
    return withVault(options, (vault) => run(vault, options), { unlock: true, reads: true });
  },
});

async function run(vault: Vault, options: ExportOptions): Promise<void> {
  const { format, layout, tag, reveal, output, json } = options;
  using file = output === undefined ? null : new PrivateFile(output);
  if (file === null && reveal) warnIfOutputIsOpen(json, 'use --output FILE');
  const write = file === null ? writeOut : (piece: string) => file.write(piece);
  const proxies = new FirstOf();
  const parts = new FirstOf();
  const onLeftOut = (left: LeftOut): void => (left.part === undefined ? proxies : parts).add(left);
  let text = '';
  for (const piece of vault.export({ format, layout, tag, reveal, onLeftOut })) {
    text += piece;
    if (text.length < WRITE_SIZE) continue;
    await write(text);
    text = '';
  }
  await write(text);
  file?.publish();
  if (file !== null) note(options, printable`Written to ${file.path}.\n`);
  if (parts.count > 0)
    warn(json, 'PARTS_LEFT_OUT', `${format} cannot carry all of ${parts.count} (json and csv can).`, parts);
  if (proxies.count === 0) return;
  const advice = format === 'csv' || format === 'json' ? '' : ' (csv and json carry most proxies)';
  warn(json, 'LEFT_OUT', `${proxies.count} left out of the list${advice}.`, proxies);
  process.exitCode = EXIT.failure;
}

/** How many were left out, and the first of them. */
class FirstOf {
  readonly name = 'proxies';
  readonly items: LeftOut[] = [];
  count = 0;

  add(left: LeftOut): void {
    if (++this.count <= KEPT_LEFT_OUT) this.items.push(left);
  }

  describe({ id, reason }: LeftOut): string {
    return `${id}: ${reason}`;
  }
}

async function writeOut(text: string): Promise<void> {
  if (!writeData(text)) await once(process.stdout, 'drain');
}
