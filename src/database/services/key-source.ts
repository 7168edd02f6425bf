import { join, resolve } from 'node:path';
import envPaths from 'env-paths';

import { ProxyVaultError } from '../../errors.ts';
import { createKeyFile, readKeyFile } from './key-file.ts';
import { decodeKey, KEY_BYTES } from './key-text.ts';

/** Where the 32-byte key comes from. Write one for a secret manager of your own. */
export interface KeySource {
  /** Such as `environment` or `key file`. */
  readonly kind: string;
  /** Where to look, for a person: a path or the name of a variable. Never the key. */
  readonly location: string;
  /** The key, or null if there is none yet. The caller overwrites it after use. @throws KEY_INVALID. */
  read(): Buffer | null;
  /** Makes a key where there is none, never replacing one; absent where that cannot be done. */
  create?(): Buffer;
}

export interface KeySourceOptions {
  /** The key itself: 32 bytes, or their base64 or hexadecimal text. */
  key?: Uint8Array | string | undefined;
  /** A file to keep the key in. */
  keyFile?: string | undefined;
  /** Where PROXYVAULT_KEY and PROXYVAULT_KEY_FILE are looked up. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The source that these options and the environment name: an explicit key, an explicit file, PROXYVAULT_KEY,
 * PROXYVAULT_KEY_FILE, else a file in the platform's configuration folder.
 */
export function chooseKeySource({ key, keyFile, env = process.env }: KeySourceOptions): KeySource {
  if (key !== undefined) return explicitKey(key);
  if (keyFile !== undefined) return fileKey(keyFile);
  // Set but empty is a secret that did not arrive: never a reason to look elsewhere, or to make a new one.
  if (env.PROXYVAULT_KEY !== undefined) return environmentKey(env.PROXYVAULT_KEY);
  if (env.PROXYVAULT_KEY_FILE !== undefined) return fileKey(env.PROXYVAULT_KEY_FILE, 'PROXYVAULT_KEY_FILE');
  return fileKey(join(envPaths('proxyvault', { suffix: '' }).config, 'key'));
}

function explicitKey(key: Uint8Array | string): KeySource {
  return {
    kind: 'explicit',
    location: 'the option `key`',
    read() {
      if (typeof key === 'string') return decodeKey(key, this.location);
      if (key instanceof Uint8Array && key.length === KEY_BYTES) return Buffer.from(key);
      throw new ProxyVaultError(
        'KEY_INVALID',
        `The option \`key\` must be ${KEY_BYTES} bytes: generateKey() makes them.`,
      );
    },
  };
}

function environmentKey(text: string): KeySource {
  return {
    kind: 'environment',
    location: 'PROXYVAULT_KEY',
    read: () => decodeKey(text, 'The environment variable PROXYVAULT_KEY'),
  };
}

function fileKey(path: string, variable?: string): KeySource {
  if (path.trim() === '') {
    throw new ProxyVaultError(
      'KEY_INVALID',
      `${variable ?? 'The option `keyFile`'} is empty: give the path of the key file, or leave it out.`,
    );
  }
  const location = resolve(path);
  return {
    kind: 'key file',
    location,
    read: () => readKeyFile(location),
    create: () => createKeyFile(location),
  };
}
