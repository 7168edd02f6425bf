import { text } from 'node:stream/consumers';

/** The password on standard input, where no list of processes shows it, without the line end of `echo`. */
export async function readPassword(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, '');
}
