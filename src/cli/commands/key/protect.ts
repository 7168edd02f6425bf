import { EncryptionService } from '../../../database/services/index.ts';
import { chooseKeyFile, environmentKey, type KeySource, type KeySourceOptions } from '../../../keys/index.ts';
import { invalidInput } from '../../../model/validation.ts';
import { bareCommand } from '../../command.ts';
import type { CommonOptions } from '../../common-options.ts';
import { newPassphrase } from '../../new-passphrase.ts';
import { keySourceOf, withVault } from '../../open-vault.ts';
import { print } from '../../output.ts';
import { canAsk, confirm } from '../../prompt.ts';
import { lines } from '../../terminal.ts';

interface PassphraseOptions extends CommonOptions {
  currentPassphraseFile?: string;
  allowWeak?: boolean;
}

interface EnvironmentOptions extends CommonOptions {
  iHaveStoredIt?: boolean;
}

export const passphraseCommand = bareCommand({
  name: 'passphrase',
  purpose: 'protect the key by a passphrase: the one in --passphrase-file, or it is asked for',
  key: 'always',
  example: 'proxyvault key passphrase',
  takes: (command) =>
    command
      .option('--current-passphrase-file <file>', 'the passphrase that the key has now, if it has one')
      .option('--allow-weak', 'accept a passphrase that is easy to guess'),
  async act(options: PassphraseOptions) {
    const { passphraseFile, currentPassphraseFile: current, allowWeak, ...rest } = options;
    const passphrase = await newPassphrase(passphraseFile, { allowWeak, json: rest.json });
    const present = current === undefined ? rest : { ...rest, passphraseFile: current };
    await moveKey(present, chooseKeyFile({ ...fileOf(options), passphrase, protection: 'passphrase' }));
  },
});

export const keychainCommand = bareCommand({
  name: 'keychain',
  purpose: 'protect the key by the operating system’s keychain',
  key: 'always',
  example: 'proxyvault key keychain',
  act: (options) => moveKey(options, chooseKeyFile({ ...fileOf(options), protection: 'keychain' })),
});

export const fileCommand = bareCommand({
  name: 'file',
  purpose: 'protect the key by nothing but the permissions of its file',
  key: 'always',
  example: 'proxyvault key file',
  act: (options) => moveKey(options, chooseKeyFile({ ...fileOf(options), protection: 'permissions' })),
});

export const environmentCommand = bareCommand({
  name: 'environment',
  purpose: 'switch to the key in PROXYVAULT_KEY: store that key first, it cannot be recovered from the pool',
  key: 'always',
  example: 'export PROXYVAULT_KEY="$(cat /run/secrets/proxyvault)" && proxyvault key environment',
  takes: (command) =>
    command.option(
      '--i-have-stored-it',
      'do without a recovery code, because the key is stored in a safe place',
    ),
  act: (options: EnvironmentOptions) =>
    moveKey(options, environmentKey(), keySourceOf(options, chooseKeyFile), (encryption) =>
      assertStored(encryption, options),
    ),
});

/** A key in the environment exists nowhere else, as far as can be seen from here. */
async function assertStored(
  encryption: EncryptionService,
  { iHaveStoredIt }: EnvironmentOptions,
): Promise<void> {
  if (iHaveStoredIt || process.env.PROXYVAULT_KEY === undefined || encryption.status().recoveryCode) return;
  const question = 'There is no recovery code. Is the key in PROXYVAULT_KEY stored in a safe place?';
  if (canAsk() && (await confirm(question))) return;
  throw invalidInput(
    'If the key in PROXYVAULT_KEY is lost, so are the credentials, and there is no recovery code: make one with `proxyvault key recovery-code --output FILE`, or store the key in a safe place and repeat with --i-have-stored-it. Nothing was changed.',
  );
}

/** Wraps the keys of the pool under the target's key, and says where that is. */
async function moveKey(
  options: CommonOptions,
  target: KeySource,
  keySource = keySourceOf(options),
  assertAllowed: (encryption: EncryptionService) => Promise<void> = async () => undefined,
): Promise<void> {
  await withVault(options, async ({ database }) => {
    using encryption = await EncryptionService.open({
      keySource,
      database,
      create: false,
      resumeRotation: false,
    });
    await assertAllowed(encryption);
    await encryption.protect(target);
    const { source, recoveryCode } = encryption.status();
    print(options.json, { source }, () =>
      lines([
        `The key is now ${source.kind}: ${source.location}${source.protection === null ? '' : `, protected by ${source.protection}`}.`,
        'Copies of the old key still open older copies of the pool: remove them where you can.',
        ...(recoveryCode
          ? []
          : ['Next: proxyvault key recovery-code --output FILE, in case this key is lost.']),
      ]),
    );
  });
}

function fileOf({
  keyFile,
  trustKeyFile,
}: CommonOptions): Pick<KeySourceOptions, 'keyFile' | 'trustKeyFile'> {
  return { keyFile, trustKeyFile };
}
