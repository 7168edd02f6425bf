/** Services behind the repositories: encryption, and the keys behind it. */

export type { EncryptedData } from '../types.ts';
export { type EncryptionOptions, EncryptionService } from './encryption.service.ts';
export type { KeySource } from './key-source.ts';
