import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DatabaseManager,
  EncryptedCredentialsRepository,
  EncryptionService,
  exportProxies,
  type ImportListOptions,
  type ImportResult,
  importProxies,
  ProxyRepository,
  ProxyTagsRepository,
} from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

interface Pool {
  db: DatabaseManager;
  proxies: ProxyRepository;
  encryption: EncryptionService;
  add: (list: Parameters<typeof importProxies>[1], options?: ImportListOptions) => Promise<ImportResult>;
  list: () => string;
}

function pool(): Pool {
  const folder = temporaryFolder();
  const db = openMigrated({ path: join(folder, 'pool.db') });
  const encryption = new EncryptionService({ keyFile: join(folder, 'key'), database: db });
  return {
    db,
    encryption,
    proxies: new ProxyRepository(db, encryption),
    add: (list, options) => importProxies(db, list, { encryption, ...options }),
    list: () => [...exportProxies(db, { encryption, format: 'json', reveal: true })].join(''),
  };
}

/** The temporary files that this process has open, which have no name any more. */
function openSpools(): string[] {
  const open = readdirSync('/proc/self/fd').map((name) => `/proc/self/fd/${name}`);
  return open.filter((path) => targetOf(path).includes('proxyvault-import-'));
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

async function* failing(lines: number): AsyncGenerator<string> {
  for (let n = 1; n <= lines; n++) yield `h.example:${n}:user${n}:canary\n`;
  throw new Error('the line went dead');
}

describe('importProxies', () => {
  it('adds what is new, gives known proxies what the list has, and the second time changes nothing', async () => {
    const { add, list, db } = pool();
    const text = 'h.example:1\nh.example:2:u:p\nh.example:2:v:p\nnonsense\n\n# c\n';
    expect(await add(text)).toMatchObject({
      lines: 6,
      added: 3,
      refused: [{ line: 4, column: 9, text: '***' }],
      comments: 1,
      blank: 1,
    });
    const before = list();
    expect(await add(text)).toMatchObject({ added: 0, updated: 0, unchanged: 3 });
    expect(list()).toBe(before);
    const changed = [
      { host: 'h.example', port: 2, username: 'u', password: 'q', name: 'N', region: 'R', country: 'DE' },
    ];
    expect(await add(JSON.stringify(changed))).toMatchObject({ added: 0, updated: 1 });
    expect(await add(JSON.stringify(changed))).toMatchObject({ updated: 0, unchanged: 1 });
    expect(await add('h.example:2:u:q')).toMatchObject({ unchanged: 1 });
    // A list that hides passwords takes none away.
    expect(await add('[{"host":"h.example","port":2,"username":"u"}]')).toMatchObject({
      unchanged: 1,
      notes: { 'the username has no password': 1 },
    });
    const [, second] = new ProxyRepository(db).findAll();
    expect(second).toMatchObject({ name: 'N', region: 'R', geolocation: { country: 'DE' } });
  });

  it('takes one gateway with a thousand usernames for a thousand proxies', async () => {
    const { add, db } = pool();
    const lines = Array.from({ length: 1000 }, (_, n) => `http://u-session-${n}:p@gate.example:7000`).join(
      '\n',
    );
    expect(await add(lines)).toMatchObject({ added: 1000 });
    expect(new ProxyRepository(db).count()).toBe(1000);
  });

  it('is one unit: a source that fails, or a lock, leaves nothing', async () => {
    const { add, db, proxies } = pool();
    await expect(add(failing(2500))).rejects.toThrow('the line went dead');
    expect(proxies.count()).toBe(0);
    await expect(add(failing(2500), { batch: 1000 })).rejects.toThrow('the line went dead');
    expect(proxies.count()).toBe(2000);
    const whole = Array.from({ length: 2500 }, (_, n) => `h.example:${n + 1}:user${n + 1}:canary\n`);
    expect(await add(whole, { batch: 1000 })).toMatchObject({ added: 500, unchanged: 2000 });
    expect(new EncryptedCredentialsRepository(db).count()).toBe(2500);
    if (process.platform === 'linux') expect(openSpools()).toEqual([]);
  });

  it('names the list and the line of the proxy that could not be stored, also in later batches', async () => {
    const { db, add } = pool();
    const encryption = new EncryptionService({ key: 'x', database: db });
    const lists = [
      { name: 'a.txt', source: 'h.example:1\n\nh.example:2\n' },
      { name: 'b.txt', source: '# c\nh.example:3\nh.example:4:u:p\n' },
    ];
    await expect(importProxies(db, lists, { encryption })).rejects.toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringMatching(/^b\.txt, line 3: .* Nothing was stored\.$/),
      details: { index: 3, line: 3 },
    });
    await expect(importProxies(db, lists, { encryption, batch: 1 })).rejects.toMatchObject({
      message: expect.stringMatching(/^b\.txt, line 3: .* The 3 proxies of earlier batches stay stored\.$/),
      details: { index: 3, line: 3 },
    });
    expect(await add('h.example:1\nh.example:2\nh.example:3\n')).toMatchObject({ unchanged: 3 });
  });

  it('holds no lock while it waits for its source, and no credential in clear in a file', async () => {
    const { add, proxies } = pool();
    const contents: string[] = [];
    async function* slow(): AsyncGenerator<string> {
      for (let n = 1; n <= 3000; n++) yield `h.example:${n}:user${n}:canary-password\n`;
      proxies.create({ host: 'other.example', port: 1, protocol: 'http' });
      if (process.platform === 'linux')
        contents.push(...openSpools().map((path) => readFileSync(path, 'latin1')));
    }
    expect(await add(slow())).toMatchObject({ added: 3000 });
    if (process.platform === 'linux') expect(contents).toHaveLength(1);
    for (const content of contents) {
      expect(content.length).toBeGreaterThan(50_000);
      expect(content).not.toContain('canary');
    }
    expect(proxies.count()).toBe(3001);
  });

  it('says in a dry run what it would do, and changes nothing, not even a key', async () => {
    const folder = temporaryFolder();
    const db = openMigrated({ path: join(folder, 'pool.db') });
    const encryption = new EncryptionService({ keyFile: join(folder, 'key'), database: db });
    const options = { encryption, tag: 't', sync: true };
    expect(await importProxies(db, 'h.example:1:u:p', { ...options, dryRun: true })).toMatchObject({
      added: 1,
      removed: 0,
      dryRun: true,
    });
    expect(new ProxyRepository(db).count()).toBe(0);
    expect(existsSync(join(folder, 'key'))).toBe(false);
    await importProxies(db, 'h.example:1:u:p', options);
    expect(
      await importProxies(db, 'h.example:1:u:q\nh.example:2', { ...options, dryRun: true }),
    ).toMatchObject({ added: 1, updated: 1 });
    expect(await importProxies(db, 'h.example:2', { ...options, dryRun: true })).toMatchObject({
      added: 1,
      removed: 1,
    });
    expect(new ProxyRepository(db).count()).toBe(1);
  });

  it('counts notes, tells progress, and reports each refusal with its list', async () => {
    const { add } = pool();
    const phases = new Set<string>();
    const refused: string[] = [];
    const result = await add(
      [
        { name: 'a', source: 'socks5h://127.0.0.1:1\nx\n' },
        { name: 'b', source: '<html>' },
      ],
      {
        onProgress: ({ phase }) => phases.add(phase),
        onRefused: ({ file, code }) => refused.push(`${file} ${code}`),
      },
    );
    expect(result.notes).toEqual({
      'socks5h is kept as socks5': 1,
      'the address is private or of this machine': 1,
    });
    expect(refused).toEqual(['a missing-port', 'b not-a-list']);
    expect(phases).toEqual(new Set(['storing']));
  });

  it('keeps 10,000 refusals, and counts the others', async () => {
    const { add } = pool();
    const result = await add('x y\n'.repeat(10_005));
    expect(result.refused).toHaveLength(10_000);
    expect(result.refusedMore).toBe(5);
  });

  it('refuses options outside their range', async () => {
    const { add } = pool();
    for (const options of [
      { sync: true },
      { batch: 0 },
      { batch: 1.5 },
      { format: 'x' as never },
      { tag: '' },
    ])
      await expect(add('h.example:1', options)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('a sync', () => {
  it('makes the pool equal to the list of its tag, and keeps the statistics of what stays', async () => {
    const { add, db, proxies } = pool();
    await add('h.example:1\nh.example:2\nh.example:3', { tag: 'a', sync: true });
    await add('h.example:3\nh.example:4', { tag: 'b', sync: true });
    await add('h.example:9');
    const [first] = proxies.findAll();
    proxies.updateStats(String(first?.id), true, 50);
    expect(await add('h.example:1\nh.example:5', { tag: 'a', sync: true })).toMatchObject({
      added: 1,
      unchanged: 1,
      removed: 1,
    });
    // 2 had no other tag; 3 is still in the list of b; 9 never was in a list of a tag.
    expect(
      proxies
        .findAll()
        .map(({ port }) => port)
        .sort(),
    ).toEqual([1, 3, 4, 5, 9]);
    expect(proxies.findById(String(first?.id))).toMatchObject({ totalRequests: 1, latency: 50 });
    const tags = new ProxyTagsRepository(db);
    expect([tags.count('a'), tags.count('b')]).toEqual([2, 2]);
    expect(tags.findByProxy(String(first?.id))).toEqual(['a']);
    expect([...exportProxies(db, { tag: 'b' })].join('')).toBe('http://h.example:3\nhttp://h.example:4\n');
  });

  it('is refused for a list that is empty, none, or cut off, unless it is forced', async () => {
    const { add, proxies } = pool();
    const sync = { tag: 'a', sync: true };
    await add('h.example:1\nh.example:2', sync);
    for (const list of ['', 'nonsense', '<html>', '[{"host":"h.example","port":1},'])
      await expect(add(list, sync)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(proxies.count()).toBe(2);
    expect(await add('', { ...sync, force: true })).toMatchObject({ removed: 2 });
    expect(proxies.count()).toBe(0);
  });
});
