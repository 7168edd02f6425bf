import { SingleBar } from 'cli-progress';

import type { BackupProgress } from '../database/index.ts';
import type { CommonOptions } from './common-options.ts';

/** A bar on standard error while it is a terminal; else nothing. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** What the line of a bar has besides it, such as `Encrypting [] 100% 1000000/1000000`, and some more. */
const PLACES_BESIDE = 40;

export function startProgress(label: string, { json, quiet }: CommonOptions): Progress {
  if (json || quiet || !process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${label} [{bar}] {percentage}% {value}/{total}`,
    stream: process.stderr,
    barsize: Math.max(5, Math.min(40, (process.stderr.columns || 80) - PLACES_BESIDE)),
    // A signal would leave the terminal without a cursor, and without a line wrap.
    hideCursor: false,
    linewrap: true,
    clearOnComplete: true,
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, done);
      started = true;
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

/** The bar of a backup or a restore, by pages. */
export function startCopyProgress(options: CommonOptions): {
  onProgress: (progress: BackupProgress) => void;
  stop: () => void;
} {
  const { update, stop } = startProgress('Copying', options);
  return {
    onProgress: ({ totalPages, remainingPages }) => update(totalPages - remainingPages, totalPages),
    stop,
  };
}
