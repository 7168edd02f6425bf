import type { ProxyStatus } from '../database/index.ts';
import type { CooldownView } from './cooldowns.ts';
import type { ProxyView } from './proxy.ts';

/** A field that is different now. What is secret is masked. */
export interface Change {
  field: string;
  from: unknown;
  to: unknown;
}

/** A proxy after an edit, and what of it changed; empty if it was so already. */
export interface EditView {
  proxy: ProxyView;
  changes: Change[];
}

/** Which proxies, by id, were given a status, and which had it already. */
export interface StatusChangeView {
  status: ProxyStatus;
  changed: string[];
  already: string[];
  /** Those of them whose cooldowns have been ended by it. */
  reset: string[];
}

/** The proxies that a person has put out for a time, with the cooldowns that persons gave them. */
export interface CoolView {
  cooled: { id: string; cooldowns: CooldownView[] }[];
}

/** The ids of the proxies that were let back in, and how many cooldowns that ended. */
export interface ResetView {
  reset: string[];
  cooldowns: number;
}

/** The ids of the proxies that were removed; empty if somebody said no. */
export interface RemovalView {
  removed: string[];
}

/** What a prune has removed, in rows, and what the file gave back, in bytes. */
export interface PruneView {
  removedEvents: number;
  /** One for each proxy and day. */
  removedUsageRows: number;
  /** By how much the file is smaller; null without a vacuum. */
  freedBytes: number | null;
  /** What is left of removed rows inside the file, for new ones. */
  reusableBytes: number;
  /** False if a reader that came meanwhile keeps the file from shrinking until it is done. */
  complete: boolean;
}
