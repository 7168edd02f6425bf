import { bareCommand } from '../command.ts';
import { withHandOutOptions } from '../hand-out.ts';
import { printHandOut } from '../print-hand-out.ts';

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
    withHandOutOptions(command).option('--reveal', 'print username and password too, as a client needs them'),
  act: (options) => printHandOut(options, 'choose'),
});
