import { writeSync } from 'node:fs';
import { constants } from 'node:os';

import { ENDING_SIGNALS } from './ending-signals.ts';
import { EXEC_EXIT } from './exit-codes.ts';
import { isCommand, wantsJson } from './read-arguments.ts';

/** Never connects: no name ends in `.invalid` (RFC 6761, section 6.4). */
const NO_PROXY_URL = 'http://no-proxy-available.invalid:1';

/**
 * Makes `next` and `rotate` print a URL that never connects if they fail or are ended by a signal. Clients such as curl take an empty proxy
 * for "no proxy" and would connect directly. A program that asks for JSON gets an error instead.
 */
export function failClosed(args: readonly string[]): void {
  const printsUrl = isCommand('next', args) || isCommand('rotate', args);
  if (!printsUrl || wantsJson(args)) return;
  for (const signal of ENDING_SIGNALS) {
    process.on(signal, () => {
      // Once there is an exit code the URL of a proxy may be printed: no second one must follow it.
      if (process.exitCode === undefined) process.exit(EXEC_EXIT.signal + constants.signals[signal]);
    });
  }
  process.on('exit', (code) => {
    if (code === 0) return;
    try {
      writeSync(1, `${NO_PROXY_URL}\n`);
    } catch {
      // Nobody reads it any more.
    }
  });
}
