import { setFlagsFromString } from 'node:v8';

/**
 * Holds V8's young generation at 2 MiB. A long import is one synchronous transaction that makes much garbage; by default
 * V8 lets it grow to a hundred megabytes before it cleans up.
 */
export function keepMemorySteady(): void {
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
}
