/** The encryption service, and its keys. */

export type { CredentialContent, EncryptedData } from '../../keys/binding.ts';
export {
  chooseKeyFile,
  chooseKeySource,
  type KeySourceOptions,
  readPassphraseFile,
} from '../../keys/sources/choose.ts';
export {
  type Environment,
  environmentKey,
  explicitKey,
  systemdCredential,
} from '../../keys/sources/given-keys.ts';
export type { KeyMaterial, KeySource } from '../../keys/sources/key-source.ts';
export { type KeyringOptions, type KeyringProtection, keyringFile } from '../../keys/sources/keyring.ts';
export type { Passphrase } from '../../keys/sources/passphrase.ts';
export type { SafeStorage } from '../../keys/sources/safe-storage.ts';
export type { CredentialCipher, CredentialEncryption } from '../credential-encryption.ts';
export {
  type EncryptionOptions,
  EncryptionService,
  type OpenOptions,
  type RecoveryOptions,
} from './encryption.service.ts';
export type { KeyRotationOptions, KeyRotationProgress, KeyRotationReport } from './key-rotation.ts';
export type { DataKeyStatus, KeyStatus } from './key-status.ts';
export type { CredentialFailure, VerificationOptions, VerificationReport } from './key-verification.ts';
