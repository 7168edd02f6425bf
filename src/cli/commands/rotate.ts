import { bareCommand } from '../command.ts';
import { withHandOutOptions } from '../hand-out.ts';
import { printHandOut } from '../print-hand-out.ts';

export const rotateCommand = bareCommand({
  name: 'rotate',
  purpose:
    'as next, and another proxy than the one that the session, domain or interval keeps, if another one fits; it is kept from now on',
  example:
    'proxy=$(proxyvault rotate --session cart-17 --reveal) && curl --proxy "$proxy" https://example.com/',
  notes: `Without options it ends the interval that is configured. \`proxyvault key rotate\` is for the keys.`,
  key: '--reveal',
  takes: (command) =>
    withHandOutOptions(command).option('--reveal', 'print username and password too, as a client needs them'),
  act: (options) => printHandOut(options, 'rotate'),
});
