import { Command } from 'commander';
import { environmentCommand, fileCommand, keychainCommand, passphraseCommand } from './key/protect.ts';
import { recoverCommand, recoveryCodeCommand } from './key/recovery.ts';
import { rotateCommand } from './key/rotate.ts';
import { statusCommand } from './key/status.ts';
import { verifyCommand } from './key/verify.ts';

export function keyCommand(): Command {
  const command = new Command('key').description(
    'the keys that encrypt the credentials, and what protects them',
  );
  for (const subcommand of [
    statusCommand,
    rotateCommand,
    verifyCommand,
    passphraseCommand,
    keychainCommand,
    fileCommand,
    environmentCommand,
    recoveryCodeCommand,
    recoverCommand,
  ])
    command.addCommand(subcommand());
  return command;
}
