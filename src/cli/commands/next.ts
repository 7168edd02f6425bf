import { Command } from 'commander';

import { type HandOutOptions, handOut, withRequestOptions } from '../hand-out.ts';
import { print } from '../output.ts';
import { text, writeError } from '../terminal.ts';
import { withVault, withVaultOptions } from '../vault.ts';

export function nextCommand(): Command {
  return withVaultOptions(
    withRequestOptions(
      new Command('next').description(
        'hand out a proxy by the configured strategy, and print its URL; on failure print a URL that never connects',
      ),
    ).option('--reveal', 'print username and password too, as a client needs them'),
    'proxy=$(proxyvault next --domain example.com --reveal) && curl --proxy "$proxy" https://example.com/',
  ).action(async (options: HandOutOptions) => {
    // Printed only after the pool is closed, so that a failure leaves no second URL.
    const view = await withVault(options, (vault) => handOut(vault, options), {
      unlock: options.reveal === true,
    });
    print(options.json, view, () => text`${view.url}`);
    if (view.hasCredentials && !options.reveal && !options.json)
      writeError(text`The login is masked: add --reveal for a URL that works.\n`);
  });
}
