import type { KeyRotationReport } from '../../../database/services/index.ts';
import { positiveNumber } from '../../arguments.ts';
import { poolCommand } from '../../command.ts';
import type { CommonOptions } from '../../common-options.ts';
import { EXIT } from '../../exit-codes.ts';
import { print } from '../../output.ts';
import { startProgress } from '../../progress.ts';
import { lines, type Text } from '../../terminal.ts';
import { failureTable } from './verify.ts';

export const rotateCommand = poolCommand({
  name: 'rotate',
  purpose: 'encrypt every credential again under a new key; it may be killed, and continues when run again',
  example: 'proxyvault key rotate',
  takes: (command) => command.option('--batch <n>', 'credentials a transaction', positiveNumber, 500),
  key: 'always',
  async run({ keys }, options: CommonOptions & { batch: number }) {
    const encrypting = startProgress('Encrypting', options);
    const verifying = startProgress('Verifying', options);
    try {
      const report = await keys.rotate({
        batchSize: options.batch,
        onProgress: ({ phase, done, total }) => {
          if (phase === 'verifying') encrypting.stop();
          (phase === 'verifying' ? verifying : encrypting).update(done, total);
        },
      });
      encrypting.stop();
      verifying.stop();
      print(options.json, report, () => describe(report));
      if (report.failures.length > 0) process.exitCode = EXIT.failure;
    } finally {
      encrypting.stop();
      verifying.stop();
    }
  },
});

function describe({ resumed, rotated, keyId, retired, logTruncated, failures }: KeyRotationReport): Text {
  return lines([
    `${resumed ? 'Continued an interrupted rotation. ' : ''}${rotated} credentials are now under key ${keyId}.`,
    `Retired: ${retired.join(', ') || 'no key'}.`,
    ...(logTruncated
      ? []
      : ['A reader holds up the write-ahead log, which still has old ciphertext: run this again later.']),
    ...(failures.length > 0 ? [failureTable(failures)] : []),
  ]);
}
