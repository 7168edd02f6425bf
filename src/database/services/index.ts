/** Services behind the repositories: encryption, and the keys behind it. */

export type { EncryptedData } from '../types.ts';
export type { CredentialCipher, CredentialContent, CredentialEncryption } from './credential-cipher.ts';
export {
  type EncryptionOptions,
  EncryptionService,
  type OpenOptions,
  type RecoveryOptions,
} from './encryption.service.ts';
export {
  chooseKeyFile,
  chooseKeySource,
  type KeySourceOptions,
  readPassphraseFile,
} from './key-sources/choose.ts';
export {
  type Environment,
  environmentKey,
  explicitKey,
  systemdCredential,
} from './key-sources/given-keys.ts';
export type { KeyMaterial, KeySource } from './key-sources/key-source.ts';
export { type KeyringOptions, type KeyringProtection, keyringFile } from './key-sources/keyring.ts';
export type { Passphrase } from './key-sources/passphrase.ts';
export type { SafeStorage } from './key-sources/safe-storage.ts';
export type { DataKeyStatus, KeyStatus } from './key-status.ts';
export type { KeyRotationOptions, KeyRotationProgress, KeyRotationReport } from './rotation.ts';
export type { CredentialFailure, VerificationOptions, VerificationReport } from './verification.ts';
