/**
 * proxyvault: the durable, encrypted proxy pool for Node and Electron.
 *
 * It has what most programs need. `proxyvault/lists`, `/keys`, `/driver`, `/database`, `/database/repositories` and
 * `/database/services` have the rest. test/public-names.test.ts holds the names of each.
 */
export {
  DatabaseManager,
  type ErrorCode,
  initDatabase,
  MigrationRunner,
  type ProxyConfig,
  type ProxyInput,
  type ProxyProtocol,
  type ProxyStatus,
  ProxyVaultError,
} from './database/index.ts';
export {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from './database/repositories/index.ts';
export { EncryptionService } from './database/services/index.ts';
export { hashPassword } from './gateway/hash-password.ts';
export type {
  ClientIdentity,
  CloseOptions,
  Gateway,
  GatewayLogger,
  GatewayOptions,
  GatewayStats,
  GatewayUser,
  Listening,
  ListenOptions,
  RequestLog,
  Tried,
} from './gateway/index.ts';
export { openVault, type VaultOptions } from './open-vault.ts';
export { type RestoreVaultOptions, type RestoreVaultReport, restoreVault } from './restore-vault.ts';
export type { RevealedProxy } from './revealed-proxy.ts';
export {
  type AcquireRequest,
  type ChosenProxy,
  type CoolOptions,
  type ExplainedRule,
  type Explanation,
  type FailureReport,
  type FilterStep,
  type Lease,
  type LeaseRequest,
  type OutcomeReport,
  Pool,
  type PoolEvents,
  type PoolOptions,
  type PoolRequest,
  type PoolStats,
  type ProxyReport,
  type RunnerUp,
  type SuccessReport,
  type TracedCondition,
} from './rotation/index.ts';
export {
  type ExportOptions,
  exportProxies,
  type ImportListOptions,
  type ImportProgress,
  type ImportResult,
  importProxies,
  type LeftOut,
  type NamedList,
  type NotePlace,
  type Refusal,
  type Removal,
} from './transfer/index.ts';
export type { ConnectionOptions, LeaseDispatcher } from './upstream/index.ts';
export type { Vault, VaultStats } from './vault.ts';
