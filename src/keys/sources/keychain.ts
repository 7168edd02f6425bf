import { randomBytes } from 'node:crypto';
import type { AsyncEntry } from '@napi-rs/keyring';

import { ProxyVaultError } from '../../errors.ts';
import { KEY_BYTES } from '../secret-key.ts';
import type { ProtectionParameters, Protector } from './protector.ts';

const SERVICE = 'proxyvault';

/**
 * Protects by a key in the operating system's keychain: Keychain on macOS, Credential Manager on Windows, the Secret
 * Service (GNOME Keyring, KWallet, KeePassXC) on Linux. The kernel's keyutils is never used: it is empty after a reboot.
 */
export function keychainProtector(path: string): Protector {
  return {
    kind: 'keychain',
    async protect() {
      const account = `keyring-${randomBytes(8).toString('hex')}`;
      const key = randomBytes(KEY_BYTES);
      const text = key.toString('base64');
      const stored = await attempt('UNSUPPORTED', path, async () => {
        const entry = await entryOf(account);
        await entry.setPassword(text);
        return (await entry.getPassword()) === text;
      });
      if (stored) return { key, parameters: { service: SERVICE, account } };
      throw new ProxyVaultError(
        'UNSUPPORTED',
        'The keychain did not keep what was stored in it: protect the keyring with `proxyvault key passphrase` instead.',
      );
    },
    async unprotect({ account }: ProtectionParameters) {
      const text = await attempt('KEY_MISSING', path, async () =>
        (await entryOf(String(account))).getPassword(),
      );
      const key = Buffer.from(text ?? '', 'base64');
      if (key.length === KEY_BYTES) return { key };
      throw new ProxyVaultError(
        'KEY_MISSING',
        `The keychain has no entry ${SERVICE}/${String(account)} for the keyring ${path}: log in as the user who made it, restore the keychain, or use \`proxyvault key recover\`. No new key was made.`,
        { details: { path, account: String(account) } },
      );
    },
    async release({ account }: ProtectionParameters) {
      await attempt('KEY_MISSING', path, async () => (await entryOf(String(account))).deletePassword());
    },
  };
}

async function entryOf(account: string): Promise<AsyncEntry> {
  // An optional dependency, with a binary of its own: no bundler may look for it.
  const keyring: typeof import('@napi-rs/keyring') = await import(
    /* webpackIgnore: true */ /* @vite-ignore */ packageName()
  );
  // Pinned, since without it a machine without a Secret Service would get keyutils, in silence.
  return new keyring.AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } });
}

/** A function, since a bundler that makes a program smaller puts a constant in its place, and then looks for the package. */
function packageName(): string {
  return ['@napi-rs', 'keyring'].join('/');
}

async function attempt<T>(
  code: 'UNSUPPORTED' | 'KEY_MISSING',
  path: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const missing =
      error instanceof Error && 'code' in error && String(error.code).endsWith('MODULE_NOT_FOUND');
    const advice = missing
      ? 'install the optional dependency with `npm install @napi-rs/keyring`'
      : 'log in to a desktop session with an unlocked keychain, or use `proxyvault key passphrase` where there is none';
    throw new ProxyVaultError(
      code,
      `The operating system\u2019s keychain cannot be reached (keyring ${path}): ${advice}.`,
      { cause: error, details: { path } },
    );
  }
}
