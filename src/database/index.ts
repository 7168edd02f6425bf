/** The database layer: `initDatabase` opens a file, the repositories work on it. See README.md beside this file. */
export { type ErrorCode, type ErrorDetails, ProxyVaultError } from '../errors.ts';
export type { EncryptedData } from '../keys/binding.ts';
export type { Geolocation } from '../model/geolocation.ts';
export type { Login } from '../model/login.ts';
export type {
  DurabilityOptions,
  HealthOptions,
  HistoryOptions,
  LimitOptions,
} from '../model/pool-options.ts';
export {
  PROXY_PROTOCOLS,
  PROXY_SORT_FIELDS,
  PROXY_STATUSES,
  type ProxyAddress,
  type ProxyConfig,
  type ProxyInput,
  type ProxyProtocol,
  type ProxySort,
  type ProxySortField,
  type ProxyStatus,
  type ProxyUpdate,
} from '../model/proxy.ts';
export type {
  RotationConfig,
  RotationConfigUpdate,
  RotationEvent,
  RotationReason,
  RotationStrategy,
} from '../model/rotation.ts';
export type {
  ConditionLogic,
  RotationRule,
  RotationRuleUpdate,
  RuleAction,
  RuleCondition,
  RuleField,
  RuleOperator,
} from '../model/rules.ts';
export type { ScheduleWindow, ScheduleWindowInput, Weekday } from '../model/schedule-window.ts';
export type { DomainProxyMapping, DomainProxyMappingUpdate } from '../model/sticky.ts';
export type { StrategyOptions, StrategyOptionsInput } from '../model/strategy-options.ts';
export type { ProxyUsage } from '../model/usage.ts';
export type { SqlParameter, SqlParameters } from './caller-sql.ts';
export type { VacuumResult } from './drivers/driver.ts';
export type { BackupOptions } from './drivers/sqlite/backup.ts';
export type { Durability, SqlLogger } from './drivers/sqlite/connection-options.ts';
export type { BackupProgress } from './drivers/sqlite/copy.ts';
export type { CheckOptions, CheckReport, CredentialCheck, DatabaseStats } from './inspection.ts';
export { DatabaseManager, initDatabase } from './manager.ts';
export {
  type AppliedMigration,
  type InlineMigration,
  type InlineMigrations,
  type Migration,
  type MigrationFolder,
  MigrationRunner,
  type MigrationRunnerOptions,
  type MigrationSource,
  type MigrationStep,
  migrationsFromFolder,
  type SchemaComparison,
} from './migrations/index.ts';
export type { DatabaseOptions } from './options.ts';
export type { Pruned, PruneOptions } from './prune.ts';
export { type RestoreOptions, type RestoreReport, restoreDatabase } from './restore.ts';
export type { MalformedRow } from './row-check.ts';
