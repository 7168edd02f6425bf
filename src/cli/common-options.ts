/** What every command that works on a pool takes. */
export interface CommonOptions {
  db?: string;
  keyFile?: string;
  passphraseFile?: string;
  trustKeyFile?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** How they are declared: accepted before the command and after it. Plain data, since it is read before commander is loaded. */
export const COMMON_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--db <file>', 'the pool (else PROXYVAULT_DB, else your data folder)'],
  [
    '--key-file <file>',
    'the key (else PROXYVAULT_KEY or PROXYVAULT_KEY_FILE, else your configuration folder)',
  ],
  [
    '--passphrase-file <file>',
    'the passphrase of a protected key (else PROXYVAULT_PASSPHRASE_FILE, else it is asked for)',
  ],
  [
    '--trust-key-file',
    'accept a key file that is a link or open to others, such as a mounted secret (else PROXYVAULT_TRUST_KEY_FILE=1)',
  ],
  ['--json', 'print JSON for a program'],
  ['-q, --quiet', 'say nothing on standard error but errors and warnings'],
];
