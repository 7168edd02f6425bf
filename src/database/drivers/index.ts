/** The contract of a driver, for whoever writes one for another engine: driver.ts has the steps. Loads no engine. */
export {
  type BackgroundReads,
  type CheckpointResult,
  type Clock,
  type Damage,
  type Driver,
  type Engine,
  type ExecuteResult,
  type LockName,
  type Mode,
  type Params,
  type Result,
  type Row,
  type SchemaObject,
  type Scope,
  type Session,
  type Sizes,
  type SqlValue,
  type Steps,
  type Stream,
  settled,
  step,
  type TransactionOptions,
} from './driver.ts';
export type { SqliteDriver } from './sqlite/driver.ts';
export type { SqliteEngine } from './sqlite/engine.ts';
export { type OpenScope, OpenTransaction, type Slicing } from './transaction.ts';
