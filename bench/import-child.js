// One import in a process of its own, ours or by hand: `import-child.js ours|bare LIST DATABASE`. Prints seconds and the
// peak of resident memory. lists.js makes the list and compares.
import { createCipheriv, randomFillSync } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { EncryptionService, importProxies, initDatabase } from 'proxyvault';
import { openBare } from './pools.js';

const NOW = '2026-01-01 00:00:00.000';
const [side, list, path] = process.argv.slice(2);
const key = Buffer.from(Array.from({ length: 32 }, (_, n) => n + 1));

async function ours() {
  // As the command line does (src/cli/steady-memory.ts).
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
  const db = initDatabase({ path, durability: 'normal' });
  db.migrations.up();
  const encryption = new EncryptionService({ key: Buffer.from(key), database: db });
  const start = process.hrtime.bigint();
  const { added } = await importProxies(db, createReadStream(list), { encryption });
  return { count: added, start, close: () => db.close() };
}

/** The same rows, with the same tables and indexes, in one transaction; passwords by AES-256-GCM. Nothing is checked. */
async function bare() {
  const setup = initDatabase({ path, durability: 'normal' });
  setup.migrations.up();
  setup.close();
  const db = openBare(path);
  const proxy = db.prepare(`
    INSERT INTO proxies (id, name, host, port, protocol, status, failure_count, total_requests, success_rate,
      username_fingerprint, revision, created_at, updated_at)
    VALUES (?, ?, ?, ?, 'http', 'active', 0, 0, 100.0, ?, ?, ?, ?)`);
  const credential = db.prepare(
    'INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, created_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const random = randomBytes();
  const start = process.hrtime.bigint();
  let count = 0;
  db.exec('BEGIN IMMEDIATE');
  for await (const line of createInterface({ input: createReadStream(list) })) {
    const [host, port, username, password] = line.split(':');
    count++;
    const id = `0199c0de-0000-7000-8000-${count.toString(16).padStart(12, '0')}`;
    const fingerprint = random(16).toString('base64url');
    proxy.run(id, `${host}:${port}`, host, Number(port), fingerprint, count, NOW, NOW);
    const iv = random(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    const ciphertext =
      cipher.update(JSON.stringify({ username, password }), 'utf8', 'base64') + cipher.final('base64');
    const tag = cipher.getAuthTag().toString('base64');
    credential.run(id, ciphertext, iv.toString('base64'), tag, 'k', NOW);
  }
  db.exec('COMMIT');
  return { count, start, close: () => db.close() };
}

/** Random bytes, drawn many at a time. */
function randomBytes() {
  const pool = Buffer.alloc(65_536);
  let used = pool.length;
  return (length) => {
    if (used + length > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += length;
    return pool.subarray(used - length, used);
  };
}

const { count, start, close } = await { ours, bare }[side]();
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
close();
process.stdout.write(JSON.stringify({ count, seconds, peakBytes: peakOfMemory() }));

/** On Linux `maxRSS` begins with that of the process that started this one. */
function peakOfMemory() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}
