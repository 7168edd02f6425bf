/** The database layer: `initDatabase` opens a file, the repositories work on it. See README.md beside this file. */
export { type ErrorCode, type ErrorDetails, ProxyVaultError } from '../errors.ts';
export type { EncryptedData } from '../keys/binding.ts';
export type { Geolocation } from '../model/geolocation.ts';
export type { Login } from '../model/login.ts';
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
export {
  ROTATION_REASONS,
  ROTATION_STRATEGIES,
  type RotationConfig,
  type RotationConfigUpdate,
  type RotationEvent,
  type RotationReason,
  type RotationStrategy,
  type StrategyOptions,
} from '../model/rotation.ts';
export {
  type ConditionLogic,
  type RotationRule,
  type RotationRuleUpdate,
  RULE_FIELDS,
  RULE_OPERATORS,
  type RuleAction,
  type RuleCondition,
  type RuleField,
  type RuleOperator,
} from '../model/rules.ts';
export type { DomainProxyMapping, DomainProxyMappingUpdate } from '../model/sticky.ts';
export type { ProxyUsage } from '../model/usage.ts';
export type {
  BackgroundReads,
  CheckpointResult,
  Clock,
  Damage,
  Driver,
  Engine,
  LockName,
  Mode,
  Params,
  Result,
  Row,
  SchemaObject,
  Scope,
  Session,
  Sizes,
  SqlValue,
  Steps,
  Stream,
  VacuumResult,
} from './drivers/driver.ts';
export type { BackupOptions } from './drivers/sqlite/backup.ts';
export type { Durability, SqlLogger } from './drivers/sqlite/connection-options.ts';
export type { BackupProgress } from './drivers/sqlite/copy.ts';
export type { CheckOptions, CheckReport, CredentialCheck, DatabaseStats } from './inspection.ts';
export { DatabaseManager, initDatabase } from './manager.ts';
export * from './migrations/index.ts';
export type { DatabaseOptions } from './options.ts';
export type { PruneOptions } from './prune.ts';
export { type RestoreOptions, type RestoreReport, restoreDatabase } from './restore.ts';
export type { MalformedRow } from './row-check.ts';
