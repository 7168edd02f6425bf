import { defaultName } from '../../database/repositories/proxy-record.ts';
import { bareCommand } from '../command.ts';
import { type HandOutOptions, handOut, withRequestOptions } from '../hand-out.ts';
import { note } from '../note.ts';
import { print } from '../output.ts';
import { text } from '../terminal.ts';

export const nextCommand = bareCommand({
  name: 'next',
  purpose:
    'hand out a proxy by the configured strategy, and print its URL; on failure print a URL that never connects',
  example:
    'proxy=$(proxyvault next --domain example.com --reveal) && curl --proxy "$proxy" https://example.com/',
  notes: `Keep the &&: without it a client gets an empty proxy if this command is mistyped or killed, and connects directly.
\`proxyvault exec\` needs no such care.`,
  key: '--reveal',
  takes: (command) =>
    withRequestOptions(command).option('--reveal', 'print username and password too, as a client needs them'),
  async act(options: HandOutOptions) {
    // Printed only after the pool is closed, so that a failure leaves no second URL.
    const view = await handOut(options);
    print(options.json, view, () => text`${view.url}`);
    note(options, text`Proxy: ${view.id} ${defaultName(view)}\n`);
    if (view.hasCredentials && !options.reveal)
      note(options, text`The login is masked: add --reveal for a URL that works.\n`);
  },
});
