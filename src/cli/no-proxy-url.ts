import { writeSync } from 'node:fs';

/** Never connects: no name ends in `.invalid` (RFC 6761, section 6.4). */
const NO_PROXY_URL = 'http://no-proxy-available.invalid:1';

/** The options of `next` that take no value; after any other, `--json` is the value. */
export const FLAGS = ['--reveal', '--json', '--trust-key-file'];

/**
 * Makes `next` print a URL that never connects if it fails, whatever the reason. Clients such as curl take an empty proxy
 * for "no proxy" and would connect directly. A program that asks for JSON gets an error instead.
 */
export function failClosed(args: readonly string[]): void {
  if (!isNext(args) || wantsJson(args)) return;
  process.on('exit', (code) => {
    if (code === 0) return;
    try {
      writeSync(1, `${NO_PROXY_URL}\n`);
    } catch {
      // Nobody reads it any more.
    }
  });
}

function isNext(args: readonly string[]): boolean {
  const [first = ''] = args;
  return first === 'next' || (first.startsWith('-') && args.includes('next'));
}

function wantsJson(args: readonly string[]): boolean {
  return args.some((arg, index) => arg === '--json' && !takesValue(args[index - 1] ?? ''));
}

function takesValue(option: string): boolean {
  return option.startsWith('--') && !option.includes('=') && !FLAGS.includes(option);
}
