import { readFileSync } from 'node:fs';
import { text as readText } from 'node:stream/consumers';
import { EncryptionService } from '../../../database/services/index.ts';
import { ProxyVaultError } from '../../../errors.ts';
import { withFileErrors } from '../../../files/file-error.ts';
import { assertPath } from '../../../files/path.ts';
import { PrivateFile } from '../../../files/private-file.ts';
import { chooseKeyFile } from '../../../keys/index.ts';
import { bareCommand, poolCommand } from '../../command.ts';
import type { CommonOptions } from '../../common-options.ts';
import { warnIfWeak } from '../../new-passphrase.ts';
import { note } from '../../note.ts';
import { keySourceOf, passphraseFileOf, withVault } from '../../open-vault.ts';
import { print } from '../../output.ts';
import { warnIfOutputIsOpen } from '../../private-output.ts';
import { ask, canAsk } from '../../prompt.ts';
import { lines, text } from '../../terminal.ts';

export const recoveryCodeCommand = poolCommand({
  name: 'recovery-code',
  purpose: 'show, once, the code that restores the key if its file is lost; an earlier one is void',
  example: 'proxyvault key recovery-code --output code.txt',
  takes: (command) => command.option('--output <file>', 'write it to a new file that only you can read'),
  key: 'always',
  run({ keys }, options: CommonOptions & { output?: string }) {
    const { output, json } = options;
    // Before a code is made, because that voids the earlier one.
    using file = output === undefined ? null : new PrivateFile(output);
    if (file === null) warnIfOutputIsOpen(json, 'use --output FILE');
    const code = keys.createRecoveryCode();
    if (file !== null) keep(code, file);
    print(json, file ? { path: file.path } : { code }, () =>
      file ? text`Written to ${file.path}.` : text`${code}`,
    );
    note(
      options,
      text`Anyone with this code and a copy of the pool can read every credential. It is not stored: write it down and keep it away from the pool.\n\`proxyvault key recover\` asks for it.\n`,
    );
  },
});

function keep(code: string, file: PrivateFile): void {
  try {
    file.write(`${code}\n`);
    file.publish();
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    throw new ProxyVaultError(
      error.code,
      `${error.message} The new code is lost with it and an earlier code is void, so run this command again.`,
      { cause: error, details: error.details },
    );
  }
}

const UNPROTECTED =
  'Only the permissions of its file protect the key now. If a passphrase or the keychain protected it before, run `proxyvault key passphrase` or `proxyvault key keychain`.';

interface RecoverOptions extends CommonOptions {
  codeFile?: string;
  force?: boolean;
}

export const recoverCommand = bareCommand({
  name: 'recover',
  purpose: 'restore the key by the recovery code: asked for, or from standard input',
  example: 'proxyvault key recover --code-file code.txt',
  takes: (command) =>
    command
      .argument('[code]', 'better not here, where a list of processes shows it')
      .option('--code-file <file>', 'a file that holds the code')
      .option('--force', 'replace a key file that cannot be opened; it is kept as .bak'),
  async act(options: RecoverOptions, _, given: string | undefined) {
    const code = given ?? (await readCode(options));
    warnIfWeak(options.json, passphraseFileOf(options));
    await withVault(options, async ({ database }) => {
      using encryption = await EncryptionService.recover({
        database,
        code,
        replace: options.force,
        keySource: keySourceOf(options, chooseKeyFile),
      });
      const { checked, failures } = await encryption.verify();
      const { source } = encryption.status();
      const advice = source.protection === 'permissions' ? [UNPROTECTED] : [];
      print(options.json, { source, checked, failures, advice }, () =>
        lines([
          `The key is restored: ${source.location}, protected by ${source.protection}. ${checked - failures.length} of ${checked} credentials decrypt.`,
          ...advice,
        ]),
      );
    });
  },
});

async function readCode({ codeFile }: RecoverOptions): Promise<string> {
  if (codeFile === undefined) return canAsk() ? ask('Recovery code:') : readText(process.stdin);
  assertPath(codeFile, '--code-file');
  return withFileErrors(`The file ${codeFile} cannot be read`, codeFile, () =>
    readFileSync(codeFile, 'utf8'),
  );
}
