import { readPassphraseFile } from '../keys/index.ts';
import { invalidInput } from '../model/validation.ts';
import { ask, canAsk, confirm, withoutEcho } from './prompt.ts';
import { warn } from './warn.ts';

const SHORT = 12;
const FEW = 5;

/**
 * The passphrase that will protect the key, from a file or typed twice. A weak one is accepted only if somebody says so:
 * on the terminal, or by `allowWeak`.
 *
 * @throws INVALID_INPUT; then nothing was changed.
 */
export async function newPassphrase(
  file: string | undefined,
  { allowWeak = false, json }: { allowWeak?: boolean | undefined; json?: boolean | undefined },
): Promise<string> {
  if (file !== undefined) {
    const passphrase = notEmpty(readPassphraseFile(file));
    if (await isAccepted(passphrase, allowWeak, json)) return passphrase;
    throw invalidInput(
      `The passphrase is weak: ${weaknessOf(passphrase)}. Choose another one, or repeat with --allow-weak. Nothing was changed.`,
    );
  }
  if (!canAsk()) {
    throw invalidInput(
      'Cannot ask for a passphrase, because this is not a terminal: use --passphrase-file FILE.',
    );
  }
  return withoutEcho(async () => {
    for (;;) {
      const passphrase = notEmpty(await ask('New passphrase:'));
      if (!(await isAccepted(passphrase, allowWeak, json))) continue;
      if ((await ask('The same again:')) === passphrase) return passphrase;
      throw invalidInput('The two passphrases differ: nothing was changed.');
    }
  });
}

/** Warns, before it is used for a key that will be made, that the passphrase in a file is weak. */
export function warnIfWeak(json: boolean | undefined, file: string | undefined): void {
  const weakness = file === undefined ? null : weaknessOf(readPassphraseFile(file));
  if (weakness !== null)
    warn(
      json,
      'WEAK_PASSPHRASE',
      `The passphrase of the new key is weak: ${weakness}. Change it with \`proxyvault key passphrase\`.`,
    );
}

async function isAccepted(
  passphrase: string,
  allowWeak: boolean,
  json: boolean | undefined,
): Promise<boolean> {
  const weakness = weaknessOf(passphrase);
  if (weakness === null) return true;
  if (!allowWeak && !canAsk()) return false;
  warn(json, 'WEAK_PASSPHRASE', `The passphrase is weak: ${weakness}.`);
  return allowWeak || confirm('Use it all the same?');
}

/** Why somebody who has the key file could guess a passphrase; null if nothing is obvious. */
function weaknessOf(passphrase: string): string | null {
  const characters = [...passphrase];
  if (characters.length < SHORT)
    return `it is short, and ${SHORT} characters or more, such as four random words, are hard to guess`;
  if (new Set(characters).size < FEW) return 'it repeats a few characters';
  return null;
}

function notEmpty(passphrase: string): string {
  if (passphrase !== '') return passphrase;
  throw invalidInput('The passphrase is empty: nothing was changed.');
}
