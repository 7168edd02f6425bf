import type { LineVerdict, RefusalCode } from '../verdicts.ts';

/** Ends the reading of a line or record; whoever reads it makes a verdict of it. `at` counts from 0. */
export class Refused extends Error {
  readonly code: RefusalCode;
  readonly at: number;

  constructor(code: RefusalCode, message: string, at = 0) {
    super(message);
    this.code = code;
    this.at = at;
  }
}

/** The verdict of `read`, or the one that a `Refused` becomes. */
export function verdictOf(read: () => LineVerdict): LineVerdict {
  try {
    return read();
  } catch (error) {
    return refusalOf(error);
  }
}

/** The verdicts of `read`, or the one that a `Refused` becomes. */
export function verdictsOf(read: () => LineVerdict[]): LineVerdict[] {
  try {
    return read();
  } catch (error) {
    return [refusalOf(error)];
  }
}

/** The verdict that a `Refused` becomes. Any other error is our own fault and is thrown. */
export function refusalOf(error: unknown): LineVerdict {
  if (!(error instanceof Refused)) throw error;
  return { kind: 'refused', code: error.code, reason: error.message, column: error.at + 1 };
}

/** The rejection of a whole line or record. */
export function refused(code: RefusalCode, reason: string): LineVerdict {
  return { kind: 'refused', code, reason, column: 1 };
}
