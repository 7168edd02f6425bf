// The database layer by itself: the three usage examples of its specification, unchanged but for the import paths. Most
// programs use `openVault` instead, which opens, migrates and unlocks in one call: see README.md. Run it in an empty folder: `node codemap.mts` (Node 22.18 or newer runs TypeScript).

// --- Initialize Database
import { initDatabase } from 'proxyvault/database';

const db = initDatabase({
  path: './data/browser.db',
  verbose: true
});

// Run migrations
await db.migrations.up();

// --- Repository Usage
import { ProxyRepository, StickySessionRepository } from 'proxyvault/database/repositories';

const proxyRepo = new ProxyRepository(db);
const stickyRepo = new StickySessionRepository(db);

// Add proxy
const proxy = proxyRepo.create({
  name: 'US Proxy 1',
  host: '192.168.1.100',
  port: 8080,
  protocol: 'http'
});

// Create sticky mapping
stickyRepo.create({
  domain: 'example.com',
  proxyId: proxy.id,
  ttl: 3600000
});

const proxyId = proxy.id; // the specification's third example begins from an id

// --- Encrypted Credentials
import { EncryptionService } from 'proxyvault/database/services';
import { EncryptedCredentialsRepository } from 'proxyvault/database/repositories';

const encryption = new EncryptionService();
const credRepo = new EncryptedCredentialsRepository(db);

// Store encrypted credentials
const encrypted = encryption.encrypt('my-password');
credRepo.save(proxyId, encrypted);

// Retrieve and decrypt
const stored = credRepo.findByProxyId(proxyId);
const password = encryption.decrypt(stored);

// --- The result
console.log(JSON.stringify({ password, sticky: stickyRepo.findByDomain('example.com')?.proxyId === proxy.id }));
