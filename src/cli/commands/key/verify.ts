import type { CredentialFailure, VerificationReport } from '../../../database/services/index.ts';
import { poolCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { print, table } from '../../output.ts';
import { startProgress } from '../../progress.ts';
import { type Text, text } from '../../terminal.ts';

export const verifyCommand = poolCommand({
  name: 'verify',
  purpose: 'decrypt every credential, and list those that do not, by proxy id',
  reads: true,
  example: 'proxyvault key verify',
  key: 'always',
  async run({ keys }, options) {
    const progress = startProgress('Verifying', options);
    try {
      const report = await keys.verify({
        onProgress: ({ done, total }) => progress.update(done, total),
      });
      progress.stop();
      const { ok, checked, failures } = report;
      print(options.json, report, () =>
        ok
          ? text`All ${checked} credentials decrypt.${oldBindingNote(report)}`
          : text`${failures.length} of ${checked} credentials do not decrypt.\n\n${failureTable(failures)}`,
      );
      if (!ok) process.exitCode = EXIT.failure;
    } finally {
      progress.stop();
    }
  },
});

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
