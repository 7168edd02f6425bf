import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { assertNotKeyFile } from '../key-guard.ts';
import { print } from '../output.ts';
import { startCopyProgress } from '../progress.ts';
import { text } from '../terminal.ts';

export const backupCommand = poolCommand({
  name: 'backup',
  purpose: 'copy the pool, checked, while others use it; the key is not in it',
  reads: true,
  example: 'proxyvault backup ./pool-backup.db',
  takes: (command) =>
    command
      .argument('<file>', 'where the copy goes')
      .option('--force', 'replace an older backup; any other file is never replaced'),
  anyVersion: true,
  async run(vault, options: CommonOptions & { force?: boolean }, file: string) {
    assertNotKeyFile(file, vault.keys.source());
    const { onProgress, stop } = startCopyProgress(options);
    try {
      const path = await vault.backup(file, { overwrite: options.force, onProgress });
      stop();
      const { location } = vault.keys.source();
      print(
        options.json,
        { path },
        () => text`Copied to ${path}.\nKeep the key in another place: ${location}`,
      );
    } finally {
      stop();
    }
  },
});
