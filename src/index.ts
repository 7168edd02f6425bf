/** proxyvault: the durable, encrypted proxy pool for Node and Electron. */
export * from './database/index.ts';
export * from './database/repositories/index.ts';
export * from './database/services/index.ts';
export * from './errors.ts';
export * from './lists/index.ts';
export { type RestoreVaultOptions, type RestoreVaultReport, restoreVault } from './restore-vault.ts';
export * from './rotation/index.ts';
export * from './transfer/index.ts';
export { openVault, type Vault, type VaultOptions, type VaultStats } from './vault.ts';
