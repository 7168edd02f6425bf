/** The database layer: `initDatabase` opens a file, the repositories work on it. See README.md beside this file. */
export { type ErrorCode, type ErrorDetails, ProxyVaultError } from '../errors.ts';
export type { BackupOptions, BackupProgress } from './backup.ts';
export type {
  CheckpointResult,
  Clock,
  Driver,
  Mode,
  Params,
  Result,
  Row,
  Session,
  SqlValue,
  Steps,
  Stream,
} from './drivers/driver.ts';
export type { Durability, SqlLogger } from './drivers/sqlite/connection-options.ts';
export type { CheckOptions, CheckReport, DatabaseStats } from './inspection.ts';
export { DatabaseManager, initDatabase, type PruneOptions } from './manager.ts';
export * from './migrations/index.ts';
export type { DatabaseOptions } from './options.ts';
export * from './types.ts';
