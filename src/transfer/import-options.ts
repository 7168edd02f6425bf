import type { EncryptionService } from '../database/services/index.ts';
import type { ParseOptions } from '../lists/index.ts';
import { assertParseOptions } from '../lists/options.ts';
import { assertBoolean, assertFunction, assertOptions, invalidInput } from '../model/validation.ts';
import type { Refusal } from './import-result.ts';
import { assertMaxRemove, type MaxRemove, type Removal } from './removal.ts';

/** How far an import is: first it reads lines, then it stores `total` proxies. */
export type ImportProgress =
  | { phase: 'reading'; done: number }
  | { phase: 'storing'; done: number; total: number };

export interface ImportListOptions extends ParseOptions {
  /** Needed if the list has credentials. */
  encryption?: EncryptionService | undefined;
  /**
   * Who resolves the names of targets, for SOCKS proxies of which the list does not say it. Unless given, new proxies do, and
   * known ones stay as they are; false leaves it to their clients.
   */
  remoteDns?: boolean | undefined;
  /** A tag for each proxy of the list. */
  tag?: string | undefined;
  /**
   * Make the pool equal to the list for this tag: take the tag from proxies that are not in the list, and remove those that
   * have no other tag. Statistics of what stays are kept. Needs `tag`.
   */
  sync?: boolean | undefined;
  /**
   * The most proxies that a sync may take the tag from: a number, or a share such as `'80%'` of those that had the tag before.
   * A sync that would take it from more is stopped before it changes anything. Default: half of them, but fewer than 10 are
   * always allowed.
   */
  maxRemove?: MaxRemove | undefined;
  /** Sync in any case: also with a list that is empty, is no list, or ends in its middle, and without the limit of `maxRemove`. */
  force?: boolean | undefined;
  /** Say what would be done and change nothing. */
  dryRun?: boolean | undefined;
  /** Commit after every this many proxies instead of once at the end: what was stored survives, and a repeat completes it. */
  batch?: number | undefined;
  onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Called before a sync is stopped, with what it would remove. */
  onStopped?: ((removal: Removal) => void) | undefined;
  /** Called with each rejected line or record; the result has only the first 10,000. */
  onRefused?: ((refusal: Refusal) => void) | undefined;
}

/** The limit of what a sync may remove, or undefined for the default limit; null if the sync has no limit. */
export function limitOf({ sync, force, maxRemove }: ImportListOptions): MaxRemove | undefined | null {
  return sync && !force ? maxRemove : null;
}

const IMPORT_OPTIONS = [
  'protocol',
  'strictProtocol',
  'format',
  'encryption',
  'remoteDns',
  'tag',
  'sync',
  'maxRemove',
  'force',
  'dryRun',
  'batch',
  'onProgress',
  'onStopped',
  'onRefused',
] as const satisfies readonly (keyof ImportListOptions)[];

/** @throws INVALID_INPUT; also for a name that is not known, since a misspelt `dryRun` must not change the pool. */
export function assertImportOptions(options: ImportListOptions): void {
  assertOptions(options, IMPORT_OPTIONS, 'options of an import');
  assertParseOptions(options);
  for (const name of ['remoteDns', 'sync', 'force', 'dryRun'] as const)
    if (options[name] !== undefined) assertBoolean(options[name], name);
  for (const name of ['onProgress', 'onStopped', 'onRefused'] as const)
    if (options[name] !== undefined) assertFunction(options[name], name);
  const { tag, sync, batch = 1, maxRemove } = options;
  assertMaxRemove(maxRemove);
  if (sync && tag === undefined)
    throw invalidInput('A sync needs a tag: it removes what left the list of that tag.');
  if (!Number.isSafeInteger(batch) || batch < 1) throw invalidInput('batch must be a whole number from 1.');
}
