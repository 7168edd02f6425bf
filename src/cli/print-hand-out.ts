import { defaultName } from '../database/repositories/proxy-record.ts';
import { type Ask, type HandOutOptions, handOut } from './hand-out.ts';
import { note } from './note.ts';
import { print } from './output.ts';
import { text } from './terminal.ts';

/** Hands out a proxy and prints its URL; says on standard error which one it is. */
export async function printHandOut(options: HandOutOptions, ask: Ask): Promise<void> {
  // Printed only after the pool is closed, so that a failure leaves no second URL.
  const view = await handOut(options, ask);
  print(options.json, view, () => text`${view.url}`);
  note(options, text`Proxy: ${view.id} ${defaultName(view)}\n`);
  if (view.lease) note(options, text`Lease: ${view.lease.id} until ${view.lease.expiresAt}\n`);
  if (view.hasCredentials && !options.reveal)
    note(options, text`The login is masked: add --reveal for a URL that works.\n`);
}
