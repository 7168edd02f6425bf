import { type Command, Option } from 'commander';

import { duration } from './arguments.ts';

/** What a history command can be asked for. */
export interface TimeOptions {
  from?: string;
  to?: string;
  /** Milliseconds. */
  since?: number;
}

/** Adds the options of a time range. @param form how a time is written. */
export function withTimes(command: Command, form: { from: string; to: string }): Command {
  return command
    .option('--from <time>', form.from)
    .option('--to <time>', form.to)
    .addOption(
      new Option('--since <age>', 'from so long ago on, such as 24h or 7d')
        .argParser(duration)
        .conflicts('from'),
    );
}

/** Where the range begins: as it was given, or so long before now. */
export function fromOf({ from, since }: TimeOptions, now: number): string | undefined {
  return since === undefined ? from : new Date(Math.max(0, now - since)).toISOString();
}
