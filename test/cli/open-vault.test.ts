import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { expect, it, onTestFinished, vi } from 'vitest';
import { withVault } from '../../src/cli/open-vault.ts';
import type { Vault } from '../../src/vault.ts';
import { useCheapPassphrases } from '../support/cheap-passphrases.ts';
import { temporaryFolder } from '../support/temporary.ts';

useCheapPassphrases();

it('a key that a passphrase opened is forgotten when the command ends, also by an error', async () => {
  const folder = temporaryFolder();
  const options = {
    db: join(folder, 'pool.db'),
    keyFile: join(folder, 'key'),
    passphraseFile: join(folder, 'passphrase'),
    quiet: true,
  };
  writeFileSync(options.passphraseFile, 'four random words of mine');
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const destroy = vi.spyOn(EncryptionService.prototype, 'destroy');
  onTestFinished(() => {
    written.mockRestore();
    destroy.mockRestore();
  });
  const credentials = { username: 'me', password: 'secret' };
  const add = ({ proxies, keys }: Vault): Vault['keys'] => {
    proxies.create({ protocol: 'http', host: 'a.example', port: 1, credentials });
    return keys;
  };
  const opened = await withVault(options, add, { create: true, unlock: true });
  expect(destroy.mock.contexts).toContain(opened);
  let used: unknown;
  const failing = withVault(
    options,
    ({ keys }) => {
      used = keys;
      throw new Error('no');
    },
    { unlock: true },
  );
  await expect(failing).rejects.toThrow('no');
  expect(destroy.mock.contexts).toContain(used);
});
