import { COMMON_OPTIONS } from './common-options.ts';

/** The options of `next` and `rotate` that take no value. */
const FLAGS_OF_NEXT = ['--reveal'];

/**
 * Every option that is known before the commands are loaded and takes no value. It is right for `next` and `rotate`, which must fail
 * closed even if nothing can be loaded; `declaredFlags` has those of all commands.
 */
export const EARLY_FLAGS: ReadonlySet<string> = new Set([
  ...COMMON_OPTIONS.filter(([flags]) => !flags.includes('<')).flatMap(([flags]) => flags.split(', ')),
  ...FLAGS_OF_NEXT,
]);

const COMMON_NAMES = new Set(COMMON_OPTIONS.flatMap(([flags]) => flags.replace(/ <.*/, '').split(', ')));

/** What can be known of a command line before it is parsed. */
interface Reading {
  /** The name of the command; null if it is missing. */
  command: string | null;
  /** Words that may be the command instead: each follows an unknown option and may be its value. */
  alternatives: string[];
  json: boolean;
}

/** Whether the caller asks for JSON. After an option that takes a value, or that is unknown, `--json` is the value. */
export function wantsJson(args: readonly string[], flags = EARLY_FLAGS): boolean {
  return read(args, flags).json;
}

/** Whether this is the command, or may be. */
export function isCommand(name: string, args: readonly string[]): boolean {
  const { command, alternatives } = read(args, EARLY_FLAGS);
  return command === name || alternatives.includes(name);
}

/** Reads the arguments that are ours: those after `--`, and after the command that `exec` runs, are not. */
function read(args: readonly string[], flags: ReadonlySet<string>): Reading {
  const reading: Reading = { command: null, alternatives: [], json: false };
  for (let n = 0; n < args.length; n++) {
    const arg = args[n] ?? '';
    if (arg === '--') {
      // Only the options end here: `proxyvault -- next` is `next`.
      reading.command ??= args[n + 1] ?? null;
      break;
    }
    if (!arg.startsWith('-')) {
      if (reading.command === 'exec') break;
      reading.command ??= arg;
      continue;
    }
    if (arg === '--json') reading.json = true;
    const [name = ''] = arg.split('=');
    const after = args[n + 1] ?? '-';
    if (reading.command === null && !COMMON_NAMES.has(name) && name === arg && !after.startsWith('-')) {
      reading.alternatives.push(after);
      n++;
      continue;
    }
    // A value is never an option of ours, even if it looks like one.
    if (name.startsWith('--') && name === arg && !flags.has(name)) n++;
  }
  return reading;
}
