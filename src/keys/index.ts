/** Where the key comes from. Knows no database, and loads no native module until a key file asks for the keychain. */
export {
  chooseKeyFile,
  chooseKeySource,
  type KeySourceOptions,
  readPassphraseFile,
} from './sources/choose.ts';
export { type Environment, environmentKey, explicitKey, systemdCredential } from './sources/given-keys.ts';
export type { KeyMaterial, KeySource } from './sources/key-source.ts';
export { type KeyringOptions, type KeyringProtection, keyringFile } from './sources/keyring.ts';
export type { Passphrase } from './sources/passphrase.ts';
export type { SafeStorage } from './sources/safe-storage.ts';
