import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { initDatabase, type MigrationSource } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const CANARIES = ['canary-user-0815', 'canary-pass-4711'];

function assertClean(what: string, content: string | Buffer): void {
  const text = typeof content === 'string' ? content : content.toString('latin1');
  for (const canary of CANARIES) {
    for (const form of [
      canary,
      Buffer.from(canary).toString('base64').replace(/=+$/, ''),
      Buffer.from(canary).toString('hex'),
    ]) {
      expect([what, text.includes(form)]).toEqual([what, false]);
    }
  }
}

it('no file holds a username or password in clear: database, log, index, backups', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'pool.db');
  const heard: string[] = [];
  const db = openMigrated({ path, verbose: (sql) => heard.push(sql) });
  const encryption = new EncryptionService({ keyFile: join(folder, 'key'), database: db });
  const proxies = new ProxyRepository(db, encryption);
  const [username = '', password = ''] = CANARIES;
  const many = Array.from({ length: 200 }, (_, i) => ({
    host: 'h.example',
    port: i + 1,
    protocol: 'http' as const,
    credentials: { username, password },
  }));
  proxies.importMany(many);
  proxies.importMany(
    many.map((proxy) => ({ ...proxy, credentials: { username, password: `${password}-2` } })),
  );
  await db.backup(join(folder, 'copy.db'));
  for (const { id } of proxies.list({ limit: 50 }).items) proxies.delete(id);
  const look = (): void => {
    const files = readdirSync(folder);
    expect(files).toEqual(expect.arrayContaining(['copy.db', 'key', 'pool.db']));
    for (const file of files) assertClean(file, readFileSync(join(folder, file)));
  };
  look();
  db.close();
  // A migration over rows leaves its backup beside the file.
  const app: MigrationSource = {
    namespace: 'app',
    files: [{ name: '001_x', sql: '-- Migration: 001_x\n-- Description: x\n-- Up\nCREATE TABLE x (y);\n' }],
  };
  const again = initDatabase({ path, migrations: [app] });
  again.migrations.up();
  again.close();
  expect(readdirSync(folder).some((file) => file.endsWith('.backup'))).toBe(true);
  look();
  assertClean('the SQL log', heard.join('\n'));
  expect(heard.length).toBeGreaterThan(400);
});

it('no error holds one, nor its causes', () => {
  const db = openMigrated();
  const encryption = new EncryptionService({ keyFile: join(temporaryFolder(), 'key'), database: db });
  const proxies = new ProxyRepository(db, encryption);
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const [username = '', password = ''] = CANARIES;
  const login = { username, password };
  const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: login };
  const { id } = proxies.create(input);
  const failing: (() => unknown)[] = [
    () => proxies.create(input),
    () => proxies.create({ ...input, port: -1 }),
    () => proxies.create({ ...input, credentials: { ...login, extra: password } as never }),
    () => proxies.create({ ...input, credentials: { username, password: `${password}\n` } }),
    () => proxies.create({ ...input, host: `${username}:${password}@h` }),
    () => proxies.createMany([input]),
    () => credentials.store('nobody', login),
    () => credentials.store(id, { username, password: 7 as unknown as string }),
    () => encryption.encrypt(`${password}\uD800`),
    () => new EncryptionService({ key: password }).encrypt('x'),
    () => new EncryptionService({ env: { PROXYVAULT_KEY: password } }).encrypt('x'),
    () => {
      db.driver.run(`UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`, {});
      credentials.reveal(id);
    },
    () => db.driver.run('INSERT INTO proxies (id) VALUES (:id)', { id: password }),
  ];
  for (const work of failing) {
    const error = thrownBy(work);
    expect(error).toMatchObject({ name: 'ProxyVaultError' });
    assertClean(
      work.toString(),
      inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String(error),
    );
  }
});

it('no output of the command line holds one, in whichever line of a list it stood', () => {
  const { run, folder } = commandLine();
  const [username = '', password = ''] = CANARIES;
  const lines = [
    `h.example:1:${username}:${password}`,
    `${username}:${password}@h.example:2`,
    `http://${username}:${password}@h.example:3`,
    `${username}:${password}:h.example:4`,
    `h.example:99999:${username}:${password}`,
    `http://${username}:${password}@h.example`,
    `ftp://${username}:${password}@h.example:6`,
    `h.example:7 ${username} ${password}`,
    `${password}`,
    `${username},${password},h.example,8`,
  ];
  writeFileSync(join(folder, 'list.txt'), lines.join('\n'));
  for (const args of [
    ['import', 'list.txt'],
    ['import', 'list.txt', '--json'],
    ['list'],
    ['add', `http://${username}:${password}@h.example:70000`],
  ]) {
    const { stdout, stderr } = run(args, { env: { PROXYVAULT_DEBUG: '1' } });
    assertClean(args[0] ?? '', stdout + stderr);
  }
  for (const file of ['pool.db', 'key']) assertClean(file, readFileSync(join(folder, file)));
});

it('no output and no file of the key commands holds a key, a passphrase, a recovery code or a login', () => {
  const { run, folder } = commandLine();
  const [username = '', password = ''] = CANARIES;
  const passphrase = 'canary-phrase-of-words';
  // Beside the pool, not in it: what the user keeps elsewhere.
  const kept = temporaryFolder();
  const passphraseFile = join(kept, 'passphrase');
  writeFileSync(passphraseFile, passphrase);
  writeFileSync(join(kept, 'list.txt'), `h.example:1:${username}:${password}`);
  const env = { PROXYVAULT_DEBUG: '1' };
  const said: string[] = [];
  const command = (
    args: string[],
    options: { input?: string; env?: Record<string, string> } = {},
  ): string => {
    const { stdout, stderr } = run(args, { ...options, env: { ...env, ...options.env } });
    said.push(stdout, stderr);
    return stdout;
  };
  command(['import', join(kept, 'list.txt')]);
  const plainKey = readFileSync(join(folder, 'key'), 'utf8').trim();
  command(['key', 'status']);
  command(['key', 'status', '--json']);
  const code = run(['key', 'recovery-code']).stdout.trim();
  const given = ['--passphrase-file', passphraseFile];
  command(['key', 'passphrase', ...given]);
  command(['key', 'rotate', ...given]);
  command(['key', 'verify', ...given, '--json']);
  command(['key', 'verify']);
  writeFileSync(join(kept, 'wrong'), `${passphrase}-wrong`);
  command(['key', 'verify', '--passphrase-file', join(kept, 'wrong')]);
  command(['key', 'recover'], { input: code.replace(/.$/, '') });
  command(['key', 'recover'], { input: code });
  command(['key', 'environment', ...given], { env: { PROXYVAULT_KEY: plainKey.slice(1) } });
  command(['key', 'environment', ...given], { env: { PROXYVAULT_KEY: plainKey } });
  command(['key', 'verify'], { env: { PROXYVAULT_KEY: plainKey } });
  for (const secret of [
    plainKey,
    Buffer.from(plainKey, 'base64').toString('hex'),
    passphrase,
    code,
    code.replaceAll('-', ''),
  ]) {
    expect([secret.length, said.join('\n').includes(secret)]).toEqual([secret.length, false]);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
    expect(files.map(({ name }) => name)).toContain('pool.db');
    for (const file of files) {
      if (!file.isFile()) continue;
      const bytes = readFileSync(join(file.parentPath, file.name));
      expect([file.name, bytes.includes(secret), bytes.includes(Buffer.from(plainKey, 'base64'))]).toEqual([
        file.name,
        false,
        false,
      ]);
    }
  }
  assertClean('the outputs', said.join('\n'));
}, 60_000);
