import { readFileSync } from 'node:fs';
import { text as readText } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { chooseKeyFile, EncryptionService } from '../../../database/services/index.ts';
import { ProxyVaultError } from '../../../errors.ts';
import { print } from '../../output.ts';
import { ask, canAsk } from '../../prompt.ts';
import { writeError } from '../../terminal.ts';
import { keySourceOf, type VaultOptions, withVault, withVaultOptions } from '../../vault.ts';

export function recoveryCodeCommand(): Command {
  return withVaultOptions(
    new Command('recovery-code').description(
      'print, once, the code that restores the key if its file is lost; an earlier one is void',
    ),
    'proxyvault key recovery-code > code.txt',
  ).action((options: VaultOptions) =>
    withVault(
      options,
      ({ encryption }) => {
        const code = encryption.createRecoveryCode();
        print(options.json, { code }, () => code);
        if (!options.json)
          writeError(
            'This code and the pool open every credential. It is kept nowhere: write it down, apart from both.\n`proxyvault key recover` asks for it.\n',
          );
      },
      { unlock: true },
    ),
  );
}

interface RecoverOptions extends VaultOptions {
  codeFile?: string;
  force?: boolean;
}

export function recoverCommand(): Command {
  return withVaultOptions(
    new Command('recover')
      .description('restore the key by the recovery code: asked for, or from standard input')
      .argument('[code]', 'better not here, where a list of processes shows it')
      .addOption(new Option('--code-file <file>', 'a file that holds the code'))
      .option('--force', 'replace a key file that cannot be opened; it is kept as .bak'),
    'proxyvault key recover < code.txt',
  ).action(async (given: string | undefined, options: RecoverOptions) => {
    const code = given ?? (await readCode(options));
    await withVault(options, async ({ db }) => {
      const encryption = await EncryptionService.recover({
        database: db,
        code,
        replace: options.force,
        keySource: keySourceOf(options, chooseKeyFile),
      });
      const report = await encryption.verify();
      const { source } = encryption.status();
      print(
        options.json,
        { source, checked: report.checked, failures: report.failures },
        () =>
          `The key is restored: ${source.location}, protected by ${source.protection}. ${report.checked - report.failures.length} of ${report.checked} credentials decrypt.`,
      );
    });
  });
}

async function readCode({ codeFile }: RecoverOptions): Promise<string> {
  if (codeFile === undefined) return canAsk() ? ask('Recovery code:') : readText(process.stdin);
  try {
    return readFileSync(codeFile, 'utf8');
  } catch (error) {
    throw new ProxyVaultError('CANNOT_OPEN', `The file ${codeFile} cannot be read: check the path.`, {
      cause: error,
    });
  }
}
