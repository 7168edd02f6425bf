/** The encryption service. The sources of its key are in keys/index.ts. */
export type { CredentialContent, EncryptedData, OpenedCredential } from '../../keys/binding.ts';
export type { CredentialCipher, CredentialEncryption } from '../credential-encryption.ts';
export { EncryptionService } from './encryption.service.ts';
export type { EncryptionOptions, OpenOptions, RecoveryOptions } from './encryption-options.ts';
export type { KeyRotationOptions, KeyRotationProgress, KeyRotationReport } from './key-rotation.ts';
export type { DataKeyStatus, KeyStatus } from './key-status.ts';
export type { CredentialFailure, VerificationOptions, VerificationReport } from './key-verification.ts';
