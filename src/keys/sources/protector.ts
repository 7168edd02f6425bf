/** What a protector stores beside the keys to get its own key again; nothing of it is secret. */
export type ProtectionParameters = Record<string, string | number>;

/** How the keys of a keyring are protected: by another key, that a passphrase, a keychain or Electron gives. */
export interface Protector {
  readonly kind: 'passphrase' | 'keychain' | 'safe-storage';
  /** A new key of 32 bytes, which the caller overwrites, and what gives it again. @throws UNSUPPORTED if that cannot be had here. */
  protect(): Promise<{ key: Buffer; parameters: ProtectionParameters }>;
  /** The key again, and new parameters if they must be stored again. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  unprotect(
    parameters: ProtectionParameters,
  ): Promise<{ key: Buffer; renewed?: ProtectionParameters | undefined }>;
  /** Forgets what it keeps elsewhere for these parameters. */
  release?(parameters: ProtectionParameters): Promise<void>;
}
