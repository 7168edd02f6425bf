// The vault, an application's own SQL and the command line, against what a user would write or start instead.
import { spawnSync } from 'node:child_process';
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { initDatabase, openVault } from 'proxyvault';
import { compare } from './compare.js';
import { folder, newFile, openBare, openBoth } from './pools.js';

const BIN = fileURLToPath(new URL('../dist/cli/bin.js', import.meta.url));
const ROUNDS = 15;

/** @type {Record<string, () => ReturnType<typeof compare>>} */
export const FRONT_DOOR = {
  'db.query, one row'() {
    const { db, bare } = openBoth({ count: 1000 });
    const sql = 'SELECT name, host, port FROM proxies WHERE id = ?';
    const select = bare.prepare(sql);
    return compare(
      'db.query, one row',
      () => db.query(sql, ['p00000500']),
      () => select.all('p00000500'),
    );
  },
  'db.query, 1000 rows'() {
    const { db, bare } = openBoth({ count: 1000 });
    const sql = 'SELECT name, host, port FROM proxies';
    const select = bare.prepare(sql);
    return compare(
      'db.query, 1000 rows',
      () => db.query(sql),
      () => select.all(),
    );
  },
  'db.execute, an insert'() {
    const { db, bare } = openBoth();
    const table = 'CREATE TABLE results (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL, at TEXT NOT NULL)';
    db.execute(table);
    bare.exec(table);
    const sql = 'INSERT INTO results (cents, at) VALUES (:cents, :at)';
    const insert = bare.prepare(sql);
    const at = new Date('2026-01-01');
    return compare(
      'db.execute, an insert',
      () => db.execute(sql, { cents: 499, at }),
      () => insert.run({ cents: 499, at: at.toISOString() }),
    );
  },
};

/** @returns {Promise<{name: string, value: number, unit: string, goal: null}[]>} */
export async function measureFrontDoor() {
  return [...(await measureVault()), ...measureCommandLine()];
}

/** Milliseconds until a pool with its key is open, and microseconds of a hand-out with its login. */
async function measureVault() {
  const path = newFile();
  const keyFile = join(folder, 'vault.key');
  const vault = await openVault({ path, keyFile, durability: 'normal' });
  await vault.import(
    Array.from({ length: 1000 }, (_, n) => `http://user${n}:secret-${n}@h${n}.example:8080`),
  );
  const ids = vault.proxies.findAll().map(({ id }) => id);
  let n = 0;
  const revealed = microsecondsOf(() => vault.reveal(ids[n++ % ids.length]).url);
  await vault.close();
  const times = { vault: [], bare: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.vault.push(
      await millisecondsOf(async () => {
        const opened = await openVault({ path, keyFile, durability: 'normal' });
        await opened.close();
      }),
    );
    times.bare.push(await millisecondsOf(async () => openBare(path).close()));
  }
  return [
    { name: 'openVault and close, warm', value: median(times.vault), unit: 'ms', goal: null },
    { name: '  better-sqlite3 alone, opened and closed', value: median(times.bare), unit: 'ms', goal: null },
    { name: 'vault.reveal', value: revealed, unit: 'us', goal: null },
    { name: '  a row and node:crypto by hand', value: revealByHand(), unit: 'us', goal: null },
  ];
}

function revealByHand() {
  const db = new Database(newFile());
  db.exec('CREATE TABLE logins (id TEXT PRIMARY KEY, host TEXT, port INTEGER, iv TEXT, tag TEXT, data TEXT)');
  const key = createSecretKey(randomBytes(32));
  const insert = db.prepare('INSERT INTO logins VALUES (?, ?, ?, ?, ?, ?)');
  for (let n = 0; n < 1000; n++) {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    const text = JSON.stringify({ username: `user${n}`, password: `secret-${n}` });
    const data = cipher.update(text, 'utf8', 'base64') + cipher.final('base64');
    insert.run(
      `id${n}`,
      `h${n}.example`,
      8080,
      iv.toString('base64'),
      cipher.getAuthTag().toString('base64'),
      data,
    );
  }
  const select = db.prepare('SELECT * FROM logins WHERE id = ?');
  let n = 0;
  const microseconds = microsecondsOf(() => {
    const { host, port, iv, tag, data } = select.get(`id${n++ % 1000}`);
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: 16 });
    decipher.setAuthTag(Buffer.from(tag, 'base64'));
    const { username, password } = JSON.parse(
      decipher.update(data, 'base64', 'utf8') + decipher.final('utf8'),
    );
    return `http://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}`;
  });
  db.close();
  return microseconds;
}

/** Milliseconds of whole processes, taken in turns. */
function measureCommandLine() {
  const path = newFile();
  const db = initDatabase({ path, durability: 'normal' });
  db.migrations.up();
  db.driver.run(
    `INSERT INTO proxies (id, name, host, port, protocol, status, created_at, updated_at)
     VALUES ('p', 'p', 'h.example', 8080, 'http', 'active', '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000')`,
    {},
  );
  db.close();
  const commands = {
    'node -e 0': ['-e', '0'],
    'proxyvault --version': [BIN, '--version'],
    'proxyvault next': [BIN, 'next', '--db', path],
  };
  const times = new Map(Object.keys(commands).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, args] of Object.entries(commands)) {
      const start = process.hrtime.bigint();
      const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
      if (status !== 0) throw new Error(`${name} ended with ${status}`);
      times.get(name)?.push(Number(process.hrtime.bigint() - start) / 1e6);
    }
  }
  return [...times].map(([name, values]) => ({
    name: `process: ${name}`,
    value: median(values),
    unit: 'ms',
    goal: null,
  }));
}

/** The median of five rounds. */
function microsecondsOf(work) {
  const rounds = Array.from({ length: 5 }, () => {
    const start = process.hrtime.bigint();
    for (let n = 0; n < 5000; n++) work();
    return Number(process.hrtime.bigint() - start) / 1000 / 5000;
  });
  return median(rounds);
}

async function millisecondsOf(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
