import { writeSync } from 'node:fs';

import { wantsJson } from './json-flag.ts';

/** Never connects: no name ends in `.invalid` (RFC 6761, section 6.4). */
const NO_PROXY_URL = 'http://no-proxy-available.invalid:1';

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
