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
    for (const file of readdirSync(folder)) assertClean(file, readFileSync(join(folder, file)));
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
