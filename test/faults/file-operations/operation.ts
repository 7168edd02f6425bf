import { readdirSync } from 'node:fs';
import type { ErrorCode } from 'proxyvault';

/** One operation, ready to run. */
interface Attempt {
  run(): unknown;
  /** Throws unless what was there before, or what the operation makes of it, is whole and readable. */
  assertIntact(): unknown;
  /** What no error may show. */
  secrets: readonly string[];
  /** The names in the folder when it has succeeded. */
  leaves: readonly string[];
  /** How it is tried again after a failure, if not by `run`; and what that may leave besides. */
  runAgain?(): unknown;
  mayLeave?: readonly string[];
  /** Throws unless it was done to its end. */
  assertDone?(): void;
  /** A code that fits any fault besides those that say what the system has said. */
  mayThrow?: ErrorCode;
}

export interface FileOperation {
  name: string;
  /** Makes what the operation works on, in an empty folder. */
  prepare(folder: string): Attempt | Promise<Attempt>;
  /** In which parts of the source faults are tried: an operation before this one has the others too. */
  only?: RegExp;
}

/** The names below a folder, without what differs each time. */
export function namesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    name
      .replace(/\d{8}T\d{9}Z/, 'TIME')
      .replace(/(?<=before-)\d.+(?=\.backup)/, 'MIGRATION')
      .replace(/(?<=\.bak-)[\da-f]{8}$/, 'RANDOM'),
  );
  return [...new Set(names)].sort();
}
