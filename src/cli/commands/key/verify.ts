import { Command } from 'commander';
import type { CredentialFailure, VerificationReport } from '../../../database/services/index.ts';
import { EXIT } from '../../exit-codes.ts';
import { print, table } from '../../output.ts';
import { startProgress } from '../../progress.ts';
import { type Text, text } from '../../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../../vault.ts';

export function verifyCommand(): Command {
  return withVaultOptions(
    new Command('verify').description('decrypt every credential, and list those that do not, by proxy id'),
    'proxyvault key verify',
  ).action((options: VaultOptions) =>
    withVault(
      options,
      async ({ encryption }) => {
        const progress = startProgress('Verifying', options);
        try {
          const report = await encryption.verify({
            onProgress: ({ done, total }) => progress.update(done, total),
          });
          progress.stop();
          print(options.json, report, () =>
            report.ok
              ? text`All ${report.checked} credentials decrypt.${oldBindingNote(report)}`
              : text`${report.failures.length} of ${report.checked} credentials do not decrypt.\n\n${failureTable(report.failures)}`,
          );
          if (!report.ok) process.exitCode = EXIT.failure;
        } finally {
          progress.stop();
        }
      },
      { unlock: true },
    ),
  );
}

function oldBindingNote({ oldBinding }: VerificationReport): string {
  if (oldBinding === 0) return '';
  return ` ${oldBinding} of them are not bound to the address of their proxy: run \`proxyvault key rotate\`.`;
}

/** Which credentials are lost, and why. */
export function failureTable(failures: readonly CredentialFailure[]): Text {
  return table(
    ['PROXY', 'CODE', 'WHAT TO DO'],
    failures.map(({ proxyId, code, message }) => [proxyId, code, message]),
  );
}
