// Encryption against bare node:crypto, the rotation of keys against a bare loop, and what opening each key source costs.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptedCredentialsRepository, EncryptionService, initDatabase, ProxyRepository } from 'proxyvault';
import { environmentKey, explicitKey, keyringFile, systemdCredential } from 'proxyvault/keys';
import { compare } from './compare.js';
import { folder, newFile, openBare, openBoth } from './pools.js';

const GOAL = 0.8;
const TEXT = JSON.stringify({ username: 'customer-4711-country-us', password: 'correct-horse-battery' });
const CREDENTIALS = 100_000;

/** @type {Record<string, () => ReturnType<typeof compare> & { goal: number }>} */
export const KEYS = {
  encrypt() {
    const { service, key } = openService();
    return {
      ...compare(
        'encrypt',
        () => service.encrypt(TEXT),
        () => encrypt(key, TEXT),
      ),
      goal: GOAL,
    };
  },
  decrypt() {
    const { service, key } = openService();
    const ours = service.encrypt(TEXT);
    const theirs = encrypt(key, TEXT);
    return {
      ...compare(
        'decrypt',
        () => service.decrypt(ours),
        () => decrypt(key, theirs),
      ),
      goal: GOAL,
    };
  },
  'credential store and reveal, bound'() {
    const { db, bare } = openBoth({ count: 1000 });
    const key = createSecretKey(randomBytes(32));
    const credentials = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ key: randomBytes(32), database: db }),
    );
    const id = 'p00000500';
    const login = JSON.parse(TEXT);
    const save = bare.prepare(
      `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, binding, created_at)
       VALUES (:id, :ciphertext, :iv, :authTag, 'k', 'login', '2026-01-01 00:00:00.000')
       ON CONFLICT (proxy_id) DO UPDATE SET encrypted_data = excluded.encrypted_data, iv = excluded.iv,
         auth_tag = excluded.auth_tag, key_id = excluded.key_id, binding = excluded.binding, created_at = excluded.created_at`,
    );
    const find = bare.prepare('SELECT * FROM encrypted_credentials WHERE proxy_id = :id');
    return {
      ...compare(
        'credential store and reveal, bound',
        () => {
          credentials.store(id, login);
          return credentials.reveal(id);
        },
        () => {
          save.run({ id, ...encrypt(key, JSON.stringify(login), Buffer.from(id)) });
          const row = find.get({ id });
          const stored = { ciphertext: row.encrypted_data, iv: row.iv, authTag: row.auth_tag };
          return JSON.parse(decrypt(key, stored, Buffer.from(id)));
        },
      ),
      goal: GOAL,
    };
  },
};

/** @returns {Promise<{name: string, value: number, unit: string, goal: null}[]>} */
export async function measureKeys() {
  return [...(await measureKeyRotation()), ...(await measureSources())];
}

function openService() {
  const db = initDatabase({ path: newFile(), durability: 'normal' });
  db.migrations.up();
  return {
    service: new EncryptionService({ key: randomBytes(32), database: db }),
    key: createSecretKey(randomBytes(32)),
  };
}

/** What anyone would write with node:crypto. */
function encrypt(key, text, aad) {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  if (aad) cipher.setAAD(aad);
  const ciphertext = cipher.update(text, 'utf8', 'base64') + cipher.final('base64');
  return { ciphertext, iv: iv.toString('base64'), authTag: cipher.getAuthTag().toString('base64') };
}

function decrypt(key, { ciphertext, iv, authTag }, aad) {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: 16 });
  decipher.setAuthTag(Buffer.from(authTag, 'base64'));
  if (aad) decipher.setAAD(aad);
  return decipher.update(ciphertext, 'base64', 'utf8') + decipher.final('utf8');
}

/** Ours encrypts in batches of 500, verifies every credential, empties the log and retires the key; the bare loop does the first only. */
async function measureKeyRotation() {
  const path = newFile();
  const db = initDatabase({ path, durability: 'normal' });
  db.migrations.up();
  const service = new EncryptionService({ key: randomBytes(32), database: db });
  new ProxyRepository(db, service).importMany(
    Array.from({ length: CREDENTIALS }, (_, n) => ({
      host: `h${n}.example`,
      port: 8080,
      protocol: 'http',
      credentials: JSON.parse(TEXT),
    })),
  );
  const barePath = await db.backup(newFile());
  const ratios = [];
  const whole = [];
  const encrypting = [];
  for (let round = 0; round < 3; round++) {
    const bareMs = bareRotation(barePath);
    const start = performance.now();
    let encrypted = 0;
    await service.rotate({
      onProgress: ({ phase }) => {
        if (phase === 'encrypting') encrypted = performance.now() - start;
      },
    });
    const total = performance.now() - start;
    ratios.push(bareMs / encrypted);
    encrypting.push(CREDENTIALS / (encrypted / 1000));
    whole.push(CREDENTIALS / (total / 1000));
  }
  db.close();
  const median = (values) => values.sort((a, b) => a - b)[1];
  return [
    {
      name: `key rotation of ${CREDENTIALS}, whole`,
      value: median(whole),
      unit: 'credentials/s',
      goal: null,
    },
    { name: 'key rotation, its encrypting', value: median(encrypting), unit: 'credentials/s', goal: null },
    { name: 'key rotation, its encrypting', value: median(ratios), unit: 'of a bare loop', goal: null },
  ];
}

const bareKey = createSecretKey(randomBytes(32));
let bareRows = 0;

/** Milliseconds for re-encrypting every row in transactions of 500. The first time the rows are made decryptable by its key. */
function bareRotation(path) {
  const bare = openBare(path);
  const page = bare.prepare(
    'SELECT * FROM encrypted_credentials WHERE proxy_id > ? ORDER BY proxy_id LIMIT 500',
  );
  const update = bare.prepare(
    'UPDATE encrypted_credentials SET encrypted_data = ?, iv = ?, auth_tag = ? WHERE proxy_id = ?',
  );
  const run = (decryptRow) => {
    for (let after = ''; ; ) {
      const rows = page.all(after);
      if (rows.length === 0) return;
      after = rows.at(-1).proxy_id;
      bare.exec('BEGIN IMMEDIATE');
      for (const row of rows) {
        const { ciphertext, iv, authTag } = encrypt(bareKey, decryptRow(row), Buffer.from(row.proxy_id));
        update.run(ciphertext, iv, authTag, row.proxy_id);
      }
      bare.exec('COMMIT');
    }
  };
  if (bareRows === 0) run(() => TEXT);
  bareRows = CREDENTIALS;
  const start = performance.now();
  run((row) =>
    decrypt(
      bareKey,
      { ciphertext: row.encrypted_data, iv: row.iv, authTag: row.auth_tag },
      Buffer.from(row.proxy_id),
    ),
  );
  const milliseconds = performance.now() - start;
  bare.close();
  return milliseconds;
}

/** Milliseconds until a service has its key: median of five. */
async function measureSources() {
  const home = mkdtempSync(join(folder, 'keys-'));
  const text = randomBytes(32).toString('base64');
  writeFileSync(join(home, 'proxyvault.key'), text, { mode: 0o600 });
  writeFileSync(join(home, 'key'), text, { mode: 0o600 });
  const sealed = join(home, 'sealed');
  await EncryptionService.open({ keyFile: sealed, passphrase: 'correct horse battery staple' });
  const sources = {
    'explicit key': () => explicitKey(text),
    environment: () => environmentKey({ PROXYVAULT_KEY: text }),
    'key file': () => keyringFile(join(home, 'key')),
    'systemd credential': () => systemdCredential({ CREDENTIALS_DIRECTORY: home }),
    passphrase: () => keyringFile(sealed, { passphrase: 'correct horse battery staple' }),
  };
  const keychain = join(home, 'keychain');
  try {
    await EncryptionService.open({ keySource: keyringFile(keychain, { protection: 'keychain' }) });
    sources.keychain = () => keyringFile(keychain);
  } catch {
    console.error('The keychain is left out: this machine has no keychain.');
  }
  const figures = [];
  for (const [name, source] of Object.entries(sources)) {
    const times = [];
    for (let n = 0; n < 5; n++) {
      const start = performance.now();
      await EncryptionService.open({ keySource: source() });
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    figures.push({ name: `opening the key: ${name}`, value: times[2], unit: 'ms', goal: null });
  }
  return figures;
}
