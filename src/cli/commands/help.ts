import type { Command } from 'commander';

import { standaloneCommand } from '../command.ts';

export const helpCommand = standaloneCommand({
  name: 'help',
  purpose: 'show what a command takes, as --help after it does',
  example: 'proxyvault help key rotate',
  // An alias may have them, such as `proxyvault --db work.db`.
  ignoresPool: true,
  takes: (command) =>
    command.argument('[name...]', 'the command, such as `key rotate`; without it, all commands'),
  act(command: Command, names: string[]) {
    let found: Command = command.parent ?? command;
    for (const [n, name] of names.entries()) {
      const below = found.commands.find((each) => each.name() === name);
      if (below === undefined) {
        const path = names.slice(0, n).join(' ');
        command.error(`error: unknown command '${name}'${path === '' ? '' : ` of ${path}`}`);
      }
      found = below;
    }
    found.help();
  },
});
