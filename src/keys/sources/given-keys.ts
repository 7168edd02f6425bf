import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { withFileErrors } from '../../files/file-error.ts';
import { KEY_BYTES } from '../secret-key.ts';
import type { KeyMaterial, KeySource } from './key-source.ts';
import { decodeKeys, placeholderProblem } from './key-text.ts';

/** The variables of a process, by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The file that systemd's `LoadCredential=` or `LoadCredentialEncrypted=` is to give. */
const CREDENTIAL = 'proxyvault.key';

/**
 * A key that the program hands over: 32 bytes, or their text; several in a text are the one in use and older ones.
 *
 * @throws KEY_INVALID for what is no key, or visibly no random one.
 * @example
 * const keySource = explicitKey(process.env.CRAWLER_KEY ?? ''); // base64 or hexadecimal
 * const vault = await openVault({ path: './pool.db', keySource });
 */
export function explicitKey(key: Uint8Array | string): KeySource {
  const source = {
    kind: 'explicit',
    location: 'the option `key`',
    read() {
      if (typeof key === 'string') return decodeKeys(key, 'The option `key`');
      if (key instanceof Uint8Array && key.length === KEY_BYTES) {
        const problem = placeholderProblem(key);
        if (problem === null) return Buffer.from(key);
        throw new ProxyVaultError('KEY_INVALID', `The option \`key\` cannot be used: ${problem}.`);
      }
      throw new ProxyVaultError(
        'KEY_INVALID',
        `The option \`key\` must be ${KEY_BYTES} bytes: generateKey() makes them.`,
      );
    },
  };
  // A wrong key is noticed where it is given.
  for (const bytes of [source.read()].flat()) bytes.fill(0);
  return source;
}

/**
 * The key in PROXYVAULT_KEY. Set and empty is a secret that did not arrive: an error, never a reason to look elsewhere.
 *
 * @example
 * const vault = await openVault({ path: './pool.db', keySource: environmentKey() });
 */
export function environmentKey(env: Environment = process.env): KeySource {
  return {
    kind: 'environment',
    location: 'PROXYVAULT_KEY',
    read: () =>
      env.PROXYVAULT_KEY === undefined
        ? null
        : decodeKeys(env.PROXYVAULT_KEY, 'The environment variable PROXYVAULT_KEY'),
  };
}

/**
 * The key that systemd passes to a service as the credential `proxyvault.key`: its text, or 32 bytes.
 * https://systemd.io/CREDENTIALS/
 *
 * @example
 * const vault = await openVault({ path: './pool.db', keySource: systemdCredential() });
 */
export function systemdCredential(env: Environment = process.env): KeySource {
  const folder = env.CREDENTIALS_DIRECTORY;
  const path = folder === undefined ? null : join(folder, CREDENTIAL);
  return {
    kind: 'systemd credential',
    location: path ?? `${CREDENTIAL} in $CREDENTIALS_DIRECTORY`,
    read: () =>
      path === null
        ? null
        : withFileErrors(`The systemd credential ${path} cannot be read`, path, () => readCredential(path)),
  };
}

function readCredential(path: string): KeyMaterial | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (!stats.isFile())
    throw new ProxyVaultError('KEY_INVALID', `The systemd credential ${path} is not a regular file.`);
  const bytes = readFileSync(path);
  try {
    return bytes.length === KEY_BYTES
      ? Buffer.from(bytes)
      : decodeKeys(bytes.toString('utf8'), `The systemd credential ${path}`);
  } finally {
    bytes.fill(0);
  }
}
