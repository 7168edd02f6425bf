import { RE2JS } from 're2js';

/**
 * The engine of regular expressions in linear time. In the package it is evaluated at the first call only, since few programs
 * have a rule that uses it (lazy-re2.config.ts).
 */
export function re2(): typeof RE2JS {
  return RE2JS;
}
