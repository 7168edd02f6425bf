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
  '--local-dns',
  '--no-report',
  '--ok',
  '--password-stdin',
  '--remote-dns',
  '--reveal',
  '--strict-protocol',
  '--sync',
  '--trust-key-file',
  '--vacuum',
  '--yes',
];

/** Whether the caller asks for JSON, as far as can be known before the arguments are read in full. */
export function wantsJson(args: readonly string[]): boolean {
  const own = ownPart(args);
  return own.some((arg, index) => arg === '--json' && !takesValue(own[index - 1] ?? ''));
}

/** The arguments that are ours: the others belong to the command that `exec` runs. */
function ownPart(args: readonly string[]): readonly string[] {
  const isExec = args[0] === 'exec';
  const end = args.findIndex(
    (arg, index) =>
      arg === '--' || (isExec && index > 0 && !arg.startsWith('-') && !takesValue(args[index - 1] ?? '')),
  );
  return end === -1 ? args : args.slice(0, end);
}

function takesValue(option: string): boolean {
  return option.startsWith('--') && !option.includes('=') && !FLAGS.includes(option);
}
