import { FILE_OPTIONS, type KeySourceOptions } from '../../keys/sources/choose.ts';
import type { KeySource } from '../../keys/sources/key-source.ts';
import type { Mode, Session } from '../drivers/driver.ts';
import type { KeyRotationOptions } from './key-rotation.ts';
import type { KeyStatus } from './key-status.ts';

export interface EncryptionOptions<M extends Mode = 'sync'> extends KeySourceOptions {
  /** Where the key comes from, in place of the other options of the key. */
  keySource?: KeySource | undefined;
  /** The database the ciphertext is for: `encrypt` then uses its data keys, and `rotate` and the like work on it. */
  database?: Session<M> | undefined;
  /** Called when a key was made because there was none: tell the user where it is, and that it must be backed up. */
  onKeyCreated?: ((source: KeyStatus['source']) => void) | undefined;
}

export interface OpenOptions<M extends Mode = 'sync'> extends EncryptionOptions<M> {
  /** Make a key if the source has no key and nothing needs one. Default true. */
  create?: boolean | undefined;
  /** Finish an interrupted rotation before it answers. Default true. */
  resumeRotation?: boolean | undefined;
  /** Of such a rotation. */
  onProgress?: KeyRotationOptions['onProgress'];
}

export interface RecoveryOptions<M extends Mode = 'sync'> extends Omit<KeySourceOptions, 'key'> {
  /** Where the key goes to, in place of the other options of the key. */
  keySource?: KeySource | undefined;
  database: Session<M>;
  /** What `createRecoveryCode` gave. */
  code: string;
  /** Put the key in place of a key file that cannot be opened, which is kept as `.bak`. Default false. */
  replace?: boolean | undefined;
}

/** The names of what says where a key is. */
export const KEY_OPTIONS = ['key', 'keySource', ...FILE_OPTIONS, 'env'] as const;
/** The names of {@link EncryptionOptions} without the database. */
export const ENCRYPTION_OPTIONS = [...KEY_OPTIONS, 'onKeyCreated'] as const;
/** The names of {@link RecoveryOptions}. */
export const RECOVERY_OPTIONS = ['keySource', ...FILE_OPTIONS, 'env', 'database', 'code', 'replace'] as const;
