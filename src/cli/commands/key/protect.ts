import { Command, Option } from 'commander';
import {
  chooseKeyFile,
  EncryptionService,
  environmentKey,
  type KeySource,
  readPassphraseFile,
} from '../../../database/services/index.ts';
import { ProxyVaultError } from '../../../errors.ts';
import { print } from '../../output.ts';
import { ask, canAsk } from '../../prompt.ts';
import { writeError } from '../../terminal.ts';
import { keySourceOf, type VaultOptions, withVault, withVaultOptions } from '../../vault.ts';

const SHORT = 12;

interface PassphraseOptions extends VaultOptions {
  currentPassphraseFile?: string;
}

export function passphraseCommand(): Command {
  return withVaultOptions(
    new Command('passphrase')
      .description('protect the key by a passphrase: the one in --passphrase-file, or it is asked for')
      .addOption(
        new Option('--current-passphrase-file <file>', 'the passphrase that the key has now, if it has one'),
      ),
    'proxyvault key passphrase',
  ).action(async (options: PassphraseOptions) => {
    const passphrase = await newPassphrase(options);
    const { passphraseFile: _, currentPassphraseFile: current, ...rest } = options;
    const present = current === undefined ? rest : { ...rest, passphraseFile: current };
    await moveKey(present, chooseKeyFile({ ...fileOf(options), passphrase, protection: 'passphrase' }));
    if (passphrase.length < SHORT)
      writeError(`The passphrase is short: ${SHORT} characters or more are hard to guess.\n`);
  });
}

export function keychainCommand(): Command {
  return withVaultOptions(
    new Command('keychain').description('protect the key by the operating system’s keychain'),
    'proxyvault key keychain',
  ).action((options: VaultOptions) =>
    moveKey(options, chooseKeyFile({ ...fileOf(options), protection: 'keychain' })),
  );
}

export function fileCommand(): Command {
  return withVaultOptions(
    new Command('file').description('protect the key by nothing but the permissions of its file'),
    'proxyvault key file',
  ).action((options: VaultOptions) =>
    moveKey(options, chooseKeyFile({ ...fileOf(options), protection: 'permissions' })),
  );
}

export function environmentCommand(): Command {
  return withVaultOptions(
    new Command('environment').description(
      'go over to the key in PROXYVAULT_KEY, which must be kept: without it nothing opens',
    ),
    'export PROXYVAULT_KEY="$(cat /run/secrets/proxyvault)" && proxyvault key environment',
  ).action((options: VaultOptions) =>
    moveKey(options, environmentKey(), keySourceOf(options, chooseKeyFile)),
  );
}

/** Wraps the keys of the pool under the target's key, and says where that is. */
async function moveKey(
  options: VaultOptions,
  target: KeySource,
  keySource = keySourceOf(options),
): Promise<void> {
  await withVault(options, async ({ db }) => {
    const encryption = await EncryptionService.open({
      keySource,
      database: db,
      create: false,
      resumeRotation: false,
    });
    await encryption.protect(target);
    const { source, recoveryCode } = encryption.status();
    print(options.json, { source }, () =>
      [
        `The key is now ${source.kind}: ${source.location}${source.protection === null ? '' : `, protected by ${source.protection}`}.`,
        'Copies of the old key still open older copies of the pool: remove them where you can.',
        ...(recoveryCode ? [] : ['Next: proxyvault key recovery-code, for the day that this key is lost.']),
      ].join('\n'),
    );
  });
}

function fileOf({ keyFile }: VaultOptions): { keyFile?: string } {
  return keyFile === undefined ? {} : { keyFile };
}

async function newPassphrase({ passphraseFile }: PassphraseOptions): Promise<string> {
  if (passphraseFile !== undefined) return notEmpty(readPassphraseFile(passphraseFile));
  if (!canAsk()) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'There is nobody to ask for the new passphrase: put it into a file, and name that with --passphrase-file.',
    );
  }
  const passphrase = notEmpty(await ask('New passphrase:'));
  if ((await ask('The same again:')) === passphrase) return passphrase;
  throw new ProxyVaultError('INVALID_INPUT', 'The two passphrases differ: nothing was changed.');
}

function notEmpty(passphrase: string): string {
  if (passphrase !== '') return passphrase;
  throw new ProxyVaultError('INVALID_INPUT', 'The passphrase is empty: nothing was changed.');
}
