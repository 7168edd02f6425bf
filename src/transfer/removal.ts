import { type Steps, step } from '../database/drivers/driver.ts';
import type { LeavingCount, LeavingProxy, ProxyTagsRepository } from '../database/repositories/index.ts';
import type { ProxyVaultError } from '../errors.ts';
import { invalidInput } from '../model/validation.ts';

/** The most that a sync may remove: a number of proxies, or a share of those that have the tag. */
export type MaxRemove = number | `${number}%`;

/** What a sync removes, or would remove. */
export interface Removal extends LeavingCount {
  /** How many proxies had the tag before the import. */
  of: number;
  /** The first 1,000 that leave the list, by id. */
  proxies: LeavingProxy[];
  /** The limit does not allow it. */
  stopped: boolean;
}

/** How many of the proxies that leave are named at most. */
const MOST_NAMED = 1000;

/** Without a limit of the caller's a sync may always remove fewer than this, so that small pools stay easy to use. */
const LEAST_STOPPED = 10;
const DEFAULT_PERCENT = 50;

const PERCENT = /^(\d{1,3}(?:\.\d{1,3})?)%$/;

/** Reads `50%` or `10`; null if it is neither. */
export function parseMaxRemove(text: string): MaxRemove | null {
  const limit = /^\d{1,15}$/.test(text) ? Number(text) : text;
  return isMaxRemove(limit) ? limit : null;
}

/** @throws INVALID_INPUT for what is neither a whole number from 0 nor a share from 0% to 100%. */
export function assertMaxRemove(limit: unknown): void {
  if (limit !== undefined && !isMaxRemove(limit))
    throw invalidInput('maxRemove must be a whole number of proxies, or a share from "0%" to "100%".');
}

function isMaxRemove(limit: unknown): limit is MaxRemove {
  if (typeof limit === 'number') return Number.isSafeInteger(limit) && limit >= 0;
  return typeof limit === 'string' && PERCENT.test(limit) && percentOf(limit) <= 100;
}

/** Finds out what a sync removes. `of` is how many proxies had the tag before the import. */
export function* findRemoval(
  tags: ProxyTagsRepository,
  { name, importId }: { name: string; importId: string },
  { of, limit }: { of: number; limit: MaxRemove | undefined },
): Steps<'sync', Removal> {
  const count = yield* step(tags.countOthers(name, importId));
  const proxies = yield* step(tags.findOthers(name, importId, MOST_NAMED));
  return { of, ...count, proxies, stopped: exceeds(count.leaving, of, limit) };
}

/** A proxy that leaves counts even if it has another tag: a wrong list takes the tag from all of them. */
function exceeds(leaving: number, of: number, limit: MaxRemove | undefined): boolean {
  if (typeof limit === 'number') return leaving > limit;
  if (limit === undefined) return leaving >= LEAST_STOPPED && leaving * 100 > of * DEFAULT_PERCENT;
  // All of them is no limit, also if others tag proxies between two batches.
  return percentOf(limit) < 100 && leaving * 100 > of * percentOf(limit);
}

function percentOf(limit: string): number {
  return Number(PERCENT.exec(limit)?.[1]);
}

/** The error of a sync that is stopped. `outcome` says what was changed. */
export function stoppedError(
  { of, leaving, removed }: Removal,
  { tag, limit, outcome }: { tag: string; limit: MaxRemove | undefined; outcome: string },
): ProxyVaultError {
  const allowed =
    limit === undefined
      ? `The limit is ${DEFAULT_PERCENT}% of them, or ${LEAST_STOPPED - 1} proxies if that is more`
      : `The limit is ${limit}`;
  const kept = leaving - removed;
  const others = kept === 0 ? '' : ` (${kept} of them have another tag and stay in the pool)`;
  return invalidInput(
    `The sync was stopped: it would remove ${leaving} of the ${of} proxies that have the tag${others}. ${allowed}. ${outcome} ` +
      'Check the list. If it is right, allow more with --max-remove 100% or --force (in the library, `maxRemove` or `force`).',
    { tag, of, leaving, removed },
  );
}
