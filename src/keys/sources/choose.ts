import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import envPaths from 'env-paths';

import { ProxyVaultError } from '../../errors.ts';
import { withFileErrors } from '../../files/file-error.ts';
import { assertPath } from '../../files/path.ts';
import { invalidInput } from '../../model/validation.ts';
import { type Environment, environmentKey, explicitKey, systemdCredential } from './given-keys.ts';
import { assertKeySource, type KeySource } from './key-source.ts';
import { type KeyringProtection, keyringFile } from './keyring.ts';
import type { Passphrase } from './passphrase.ts';
import type { SafeStorage } from './safe-storage.ts';

/** The options of a key file. */
export const FILE_OPTIONS = ['keyFile', 'passphrase', 'safeStorage', 'protection', 'trustKeyFile'] as const;

export interface KeySourceOptions {
  /** The key itself: 32 bytes, or their base64 or hexadecimal text. No option of a key file goes with it. */
  key?: Uint8Array | string | undefined;
  /** A file to keep the key in. */
  keyFile?: string | undefined;
  /** What opens the key file, or protects a new one. Default: the file that PROXYVAULT_PASSPHRASE_FILE names. Needs `open`. */
  passphrase?: Passphrase | undefined;
  /** Electron's `safeStorage`, for a key file that it protects. Needs `open`. */
  safeStorage?: SafeStorage | undefined;
  /** How a key file is protected that is made. Default: by the passphrase or safeStorage if given, else by permissions. */
  protection?: KeyringProtection | undefined;
  /**
   * Accept a key file that is a symbolic link, belongs to another user, or is open to others, as mounted secrets are.
   * On a read-only file system such a file is accepted anyway. Default: whether PROXYVAULT_TRUST_KEY_FILE is `1`.
   */
  trustKeyFile?: boolean | undefined;
  /** Where the variables are looked up. Default `process.env`. */
  env?: Environment | undefined;
}

/**
 * The source that these options and the environment name: an explicit key, an explicit file, PROXYVAULT_KEY,
 * PROXYVAULT_KEY_FILE, a credential of systemd, else a file in the platform's configuration folder.
 *
 * @throws INVALID_INPUT for `key` with an option of a key file; KEY_INVALID for an empty path.
 * @example
 * const { kind, location } = chooseKeySource({ keyFile: './key' }); // { kind: 'key file', location: '/srv/crawler/key' }
 */
export function chooseKeySource(options: KeySourceOptions): KeySource {
  const { key, keyFile, env = process.env } = options;
  if (key !== undefined) {
    assertAlone('key', options, FILE_OPTIONS);
    return explicitKey(key);
  }
  if (keyFile !== undefined) return fileOf(keyFile, 'The option `keyFile`', options);
  if (env.PROXYVAULT_KEY !== undefined) return environmentKey(env);
  return chooseKeyFile(options, systemdCredential(env));
}

/**
 * The source that is given as such, or the one that the other options choose.
 *
 * @throws INVALID_INPUT for both, of which one would be ignored, and as {@link assertKeySource}.
 */
export function keySourceFrom(
  { keySource, ...options }: KeySourceOptions & { keySource?: KeySource | undefined },
  choose: (options: KeySourceOptions) => KeySource = chooseKeySource,
): KeySource {
  if (keySource === undefined) return choose(options);
  assertAlone('keySource', options, ['key', ...FILE_OPTIONS]);
  assertKeySource(keySource, 'The option `keySource`');
  return keySource;
}

/**
 * As {@link chooseKeySource}, leaving out the key in the environment, which is no place to keep one.
 *
 * @example
 * const source = chooseKeyFile({ passphrase: () => readPassphraseFile('/run/secrets/passphrase') });
 * await vault.keys.protect(source);
 */
export function chooseKeyFile(options: KeySourceOptions, instead?: KeySource): KeySource {
  const { keyFile, env = process.env } = options;
  if (keyFile !== undefined) return fileOf(keyFile, 'The option `keyFile`', options);
  if (env.PROXYVAULT_KEY_FILE !== undefined)
    return fileOf(env.PROXYVAULT_KEY_FILE, 'PROXYVAULT_KEY_FILE', options);
  if (instead && env.CREDENTIALS_DIRECTORY !== undefined && existsSync(instead.location)) return instead;
  return fileOf(join(envPaths('proxyvault', { suffix: '' }).config, 'key'), '', options);
}

/** @throws INVALID_INPUT if one of the other options is given too. */
function assertAlone(
  given: string,
  options: KeySourceOptions,
  others: readonly (keyof KeySourceOptions)[],
): void {
  const other = others.find((name) => options[name] !== undefined);
  if (other === undefined) return;
  throw invalidInput(`\`${given}\` and \`${other}\` contradict each other: give one of them.`);
}

function fileOf(path: string, named: string, options: KeySourceOptions): KeySource {
  assertPath(path, named);
  if (path.trim() === '')
    throw new ProxyVaultError(
      'KEY_INVALID',
      `${named} is empty: give the path of the key file, or leave it out.`,
    );
  const { env = process.env, safeStorage, protection } = options;
  const { trustKeyFile = ['1', 'true'].includes(env.PROXYVAULT_TRUST_KEY_FILE ?? '') } = options;
  const passphraseFile = env.PROXYVAULT_PASSPHRASE_FILE || undefined;
  const passphrase =
    options.passphrase ??
    (passphraseFile === undefined ? undefined : () => readPassphraseFile(passphraseFile));
  return keyringFile(path, { passphrase, safeStorage, protection, trustKeyFile });
}

/**
 * The first line of a file.
 * @throws KEY_MISSING if it is not there; CANNOT_OPEN, IO; INVALID_INPUT for a URL.
 * @example
 * const passphrase = () => readPassphraseFile('/run/secrets/passphrase');
 * const vault = await openVault({ path: './pool.db', passphrase });
 */
export function readPassphraseFile(path: string): string {
  assertPath(path, 'The passphrase file');
  const what = `The passphrase file ${path} cannot be read`;
  try {
    return withFileErrors(what, path, () => readFileSync(path, 'utf8').replace(/\r?\n.*/s, ''));
  } catch (error) {
    if (!(error instanceof ProxyVaultError && error.details.errno === 'ENOENT')) throw error;
    throw new ProxyVaultError('KEY_MISSING', `${what}: it does not exist. Check the path.`, {
      cause: error,
      details: { path },
    });
  }
}
