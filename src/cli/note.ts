import type { CommonOptions } from './common-options.ts';
import { type Text, writeError } from './terminal.ts';

/** Says something to a person on standard error; with --json or --quiet it is left out. What must be heard is a warning. */
export function note({ json, quiet }: Pick<CommonOptions, 'json' | 'quiet'>, text: Text): void {
  if (!json && !quiet) writeError(text);
}
