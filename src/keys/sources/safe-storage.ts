import { randomBytes } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import { KEY_BYTES } from '../secret-key.ts';
import type { ProtectionParameters, Protector } from './protector.ts';

/**
 * What is used of Electron's `safeStorage`, once the app is ready: its asynchronous methods.
 * https://www.electronjs.org/docs/latest/api/safe-storage
 */
export interface SafeStorage {
  isAsyncEncryptionAvailable(): Promise<boolean>;
  encryptStringAsync(plainText: string): Promise<Buffer>;
  decryptStringAsync(encrypted: Buffer): Promise<{ shouldReEncrypt: boolean; result: string }>;
  /** On Linux only. */
  getSelectedStorageBackend?(): string;
}

/** With `basic_text` the password is a constant of Chromium's; `unknown` is what there is before the app is ready. */
const NO_PROTECTION = ['basic_text', 'unknown'];

/** Protects by Electron's safeStorage. The backend is stored: another one would not decrypt, or not protect. */
export function safeStorageProtector(safeStorage: SafeStorage, path: string): Protector {
  return {
    kind: 'safe-storage',
    async protect() {
      const backend = await backendOf(safeStorage);
      if (backend === null) throw unavailable('UNSUPPORTED', path);
      const key = randomBytes(KEY_BYTES);
      return { key, parameters: await encrypt(safeStorage, backend, key.toString('base64')) };
    },
    async unprotect(parameters: ProtectionParameters) {
      const backend = await backendOf(safeStorage);
      if (backend === null) throw unavailable('KEY_MISSING', path);
      if (backend !== parameters.backend) throw changed(path, String(parameters.backend), backend);
      const { result, shouldReEncrypt } = await decrypt(safeStorage, path, String(parameters.blob));
      const key = Buffer.from(result, 'base64');
      return shouldReEncrypt ? { key, renewed: await encrypt(safeStorage, backend, result) } : { key };
    },
  };
}

/** The name of what protects; null if nothing does. */
async function backendOf(safeStorage: SafeStorage): Promise<string | null> {
  const backend =
    process.platform === 'linux'
      ? (safeStorage.getSelectedStorageBackend?.() ?? 'unknown')
      : process.platform;
  return NO_PROTECTION.includes(backend) || !(await safeStorage.isAsyncEncryptionAvailable())
    ? null
    : backend;
}

async function encrypt(
  safeStorage: SafeStorage,
  backend: string,
  text: string,
): Promise<ProtectionParameters> {
  return { backend, blob: (await safeStorage.encryptStringAsync(text)).toString('base64') };
}

async function decrypt(
  safeStorage: SafeStorage,
  path: string,
  blob: string,
): Promise<{ result: string; shouldReEncrypt: boolean }> {
  try {
    return await safeStorage.decryptStringAsync(Buffer.from(blob, 'base64'));
  } catch (error) {
    throw new ProxyVaultError(
      'KEY_MISMATCH',
      `Electron\u2019s safeStorage does not decrypt the keyring ${path}: it was made by another user, application or machine. Restore that profile, or use the recovery code.`,
      { cause: error, details: { path } },
    );
  }
}

function unavailable(code: 'UNSUPPORTED' | 'KEY_MISSING', path: string): ProxyVaultError {
  return new ProxyVaultError(
    code,
    `Electron\u2019s safeStorage has no protection to offer here (keyring ${path}): wait for the app\u2019s \`ready\` event, and on Linux start a desktop session with a keyring (\`basic_text\` protects nothing). No key was made.`,
    { details: { path } },
  );
}

function changed(path: string, stored: string, found: string): ProxyVaultError {
  return new ProxyVaultError(
    'KEY_MISMATCH',
    `The keyring ${path} is protected by the backend ${stored} of Electron\u2019s safeStorage, and this session has ${found}: start with \`--password-store\` as before, or use the recovery code. Nothing was switched.`,
    { details: { path, stored, found } },
  );
}
