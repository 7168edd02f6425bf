import type { RefusalCode } from './types.ts';

/** Ends the reading of a line; `parseProxyLine` makes a verdict of it. `at` counts from 0. */
export class Refused extends Error {
  readonly code: RefusalCode;
  readonly at: number;

  constructor(code: RefusalCode, message: string, at: number) {
    super(message);
    this.code = code;
    this.at = at;
  }
}
