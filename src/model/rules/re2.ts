import { RE2JS, RE2Set } from 're2js';

/**
 * The engine of regular expressions in linear time. In the package it is evaluated at the first call only, since few programs
 * have a rule that uses it (lazy-re2.config.ts).
 */
export function re2(): { RE2JS: typeof RE2JS; RE2Set: typeof RE2Set } {
  return { RE2JS, RE2Set };
}
