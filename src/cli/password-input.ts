import { buffer } from 'node:stream/consumers';

import { invalidInput } from '../model/validation.ts';

/**
 * The password on standard input, where no list of processes shows it, without the line end of `echo`.
 *
 * @throws INVALID_INPUT if it is empty, as an unset variable is, or if it is not UTF-8: another password would be stored.
 */
export async function readPassword(): Promise<string> {
  const password = decoded(await buffer(process.stdin)).replace(/\r?\n$/, '');
  if (password !== '') return password;
  throw invalidInput(
    'There is no password on standard input: write it there, such as with `echo "$PASSWORD" |`. Nothing was changed.',
  );
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidInput('The password on standard input is not UTF-8: convert it first. Nothing was changed.');
  }
}
