import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { expect, it, onTestFinished } from 'vitest';
import { loginOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

const missing = ['dbus-run-session', 'gnome-keyring-daemon'].filter(
  (tool) => spawnSync(tool, ['--version']).error !== undefined,
);

/** A session of its own with an unlocked GNOME Keyring, as one logs in to a desktop. */
async function startKeychain(): Promise<void> {
  const home = temporaryFolder();
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, XDG_DATA_HOME: join(home, 'share') };
  const script =
    'printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat';
  const session: ChildProcess = spawn('dbus-run-session', ['--', 'sh', '-c', script], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(session, 'close');
  onTestFinished(async () => {
    session.stdin?.end();
    await ended;
  });
  const [address] = (await once(session.stdout ?? session, 'data')) as [Buffer];
  process.env.DBUS_SESSION_BUS_ADDRESS = address.toString().trim();
}

it(`the keychain protects the key, for real, by GNOME Keyring${missing.length > 0 ? ` (skipped: ${missing.join(', ')} not installed)` : ''}`, async ({
  skip,
}) => {
  if (missing.length > 0) skip(`needs ${missing.join(' and ')}`);
  await startKeychain();
  const keyFile = join(temporaryFolder(), 'key');
  const db = openMigrated();
  const first = await EncryptionService.open({ keyFile, database: db });
  const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(0) };
  const { id } = new ProxyRepository(db, first).create(input);
  const plain = readFileSync(keyFile, 'utf8').trim();
  await first.protect(keyringFile(keyFile, { protection: 'keychain' }));
  const sealed = readFileSync(keyFile, 'utf8');
  expect(sealed).not.toContain(plain);
  expect(JSON.parse(sealed)).toMatchObject({ protection: { kind: 'keychain', service: 'proxyvault' } });

  const again = await EncryptionService.open({ keyFile, database: db });
  expect(again.status().source.protection).toBe('keychain');
  expect(new EncryptedCredentialsRepository(db, again).reveal(id)).toEqual(loginOf(0));

  // Its entry is gone: an error, and no new key.
  const keyring = JSON.parse(sealed) as { protection: { account: string } };
  keyring.protection.account = 'keyring-nowhere';
  writeFileSync(keyFile, JSON.stringify(keyring));
  await expect(EncryptionService.open({ keyFile, database: db })).rejects.toMatchObject({
    code: 'KEY_MISSING',
    message: expect.stringContaining('key recover'),
  });
  writeFileSync(keyFile, sealed);

  // Of two that make one at once the second goes by the first, and leaves no entry of its own.
  const shared = join(temporaryFolder(), 'key');
  const make = (): Promise<EncryptionService> =>
    EncryptionService.open({ keySource: keyringFile(shared, { protection: 'keychain' }) });
  const [one, two] = await Promise.all([make(), make()]);
  expect(one.keyId()).toBe(two.keyId());

  await again.protect(keyringFile(keyFile, { protection: 'permissions' }));
  expect(new EncryptedCredentialsRepository(db, new EncryptionService({ keyFile })).reveal(id)).toEqual(
    loginOf(0),
  );
}, 60_000);
