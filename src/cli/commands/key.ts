import { commandGroup } from '../command.ts';
import { environmentCommand, fileCommand, keychainCommand, passphraseCommand } from './key/protect.ts';
import { recoverCommand, recoveryCodeCommand } from './key/recovery.ts';
import { rotateCommand } from './key/rotate.ts';
import { statusCommand } from './key/status.ts';
import { verifyCommand } from './key/verify.ts';

export const keyCommand = commandGroup(
  'key',
  'the keys that encrypt the credentials, and what protects them',
  [
    statusCommand,
    rotateCommand,
    verifyCommand,
    passphraseCommand,
    keychainCommand,
    fileCommand,
    environmentCommand,
    recoveryCodeCommand,
    recoverCommand,
  ],
);
