import { Command } from 'commander';
import { positiveNumber } from '../../arguments.ts';
import { EXIT } from '../../exit-codes.ts';
import { print } from '../../output.ts';
import { startProgress } from '../../progress.ts';
import { lines } from '../../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../../vault.ts';
import { failureTable } from './verify.ts';

export function rotateCommand(): Command {
  return withVaultOptions(
    new Command('rotate')
      .description(
        'encrypt every credential again under a new key; it may be killed, and continues when run again',
      )
      .option('--batch <n>', 'credentials a transaction', positiveNumber, 500),
    'proxyvault key rotate',
  ).action((options: VaultOptions & { batch: number }) =>
    withVault(
      options,
      async ({ encryption }) => {
        const encrypting = startProgress('Encrypting', options);
        const verifying = startProgress('Verifying', options);
        try {
          const report = await encryption.rotate({
            batchSize: options.batch,
            onProgress: ({ phase, done, total }) => {
              if (phase === 'verifying') encrypting.stop();
              (phase === 'verifying' ? verifying : encrypting).update(done, total);
            },
          });
          encrypting.stop();
          verifying.stop();
          print(options.json, report, () =>
            lines([
              `${report.resumed ? 'Went on with a rotation that was interrupted. ' : ''}${report.rotated} credentials are now under key ${report.keyId}.`,
              `Retired: ${report.retired.join(', ') || 'no key'}.`,
              ...(report.logTruncated
                ? []
                : [
                    'A reader holds up the write-ahead log, which still has old ciphertext: run this again later.',
                  ]),
              ...(report.failures.length > 0 ? [failureTable(report.failures)] : []),
            ]),
          );
          if (report.failures.length > 0) process.exitCode = EXIT.failure;
        } finally {
          encrypting.stop();
          verifying.stop();
        }
      },
      { unlock: true },
    ),
  );
}
