/** Every option that takes no value; after any other, `--json` is the value. */
export const FLAGS: readonly string[] = [
  '--allow-weak',
  '--deep',
  '--dry-run',
  '--fail',
  '--force',
  '--i-have-stored-it',
  '--json',
  '--keep-no-proxy',
  '--no-report',
  '--ok',
  '--password-stdin',
  '--reveal',
  '--sync',
  '--trust-key-file',
];

/** Whether the caller asks for JSON, as far as can be known before the arguments are read in full. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  // What follows `--` belongs to the command that `exec` runs.
  const own = end === -1 ? args : args.slice(0, end);
  return own.some((arg, index) => arg === '--json' && !takesValue(own[index - 1] ?? ''));
}

function takesValue(option: string): boolean {
  return option.startsWith('--') && !option.includes('=') && !FLAGS.includes(option);
}
