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
  type Removal,
} from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { VerdictCounter } from '../../src/transfer/import-result.ts';
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
      notes: { 'a username stands without a password': 1 },
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
    const encryption = new EncryptionService({ env: { PROXYVAULT_KEY: 'x' }, database: db });
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
      ...[-1, 1.5, '101%', '50', 'half', '-1%', Number.NaN].map((maxRemove) => ({
        maxRemove: maxRemove as never,
      })),
    ])
      await expect(add('h.example:1', options)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('an import of nothing', () => {
  it.each([
    ['', 'The list is empty'],
    ['\uFEFF', 'there is nothing to import'],
    ['\n \n\r\n', 'only blank lines, comments and headings'],
    ['# no proxies today\n\n; none\n// none\n', 'only blank lines, comments and headings'],
    ['[]', 'The list is empty'],
    ['ip,port\n', 'only blank lines, comments and headings'],
  ])('is an error that says so: %j', async (list, message) => {
    const { add, proxies } = pool();
    for (const options of [{}, { dryRun: true }, { batch: 1 }, { tag: 'a', sync: true }])
      await expect(add(list, options)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(message),
      });
    await expect(add([Buffer.from(list)])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(proxies.count()).toBe(0);
  });

  it('is an error of several lists only if all are empty; else the empty ones are rejected by name', async () => {
    const { add, proxies } = pool();
    const empty = { name: 'empty.txt', source: '' };
    const comments = { name: 'comments.txt', source: '# c\n\n' };
    for (const lists of [[empty, comments], [empty], []])
      await expect(add(lists)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const good = { name: 'good.txt', source: 'h.example:1\nh.example:2\n' };
    expect(await add([empty, good, comments])).toMatchObject({
      lines: 4,
      added: 2,
      refused: [
        { file: 'empty.txt', line: 1, code: 'not-a-list', reason: 'the list is empty', text: '' },
        { file: 'comments.txt', line: 1, code: 'not-a-list', reason: expect.stringContaining('comments') },
      ],
    });
    // It may be a download that failed: what it had before must stay.
    await expect(add([empty, good], { tag: 'a', sync: true })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(proxies.count()).toBe(2);
    // What is rejected line by line is no empty list.
    expect(await add([empty, { name: 'prose.txt', source: 'no proxies today\n' }])).toMatchObject({
      added: 0,
      refused: [{ file: 'empty.txt' }, { file: 'prose.txt', code: 'not-a-proxy' }],
    });
  });
});

describe('the notes of an import', () => {
  it('have the first ten lines of each, with the list if there are several', async () => {
    const { add } = pool();
    const note = 'the address is private or of this machine';
    expect(await add('h.example:1\n10.0.0.1:1\n\n10.0.0.2:1\n')).toMatchObject({
      notes: { [note]: 2 },
      noteLines: { [note]: [{ line: 2 }, { line: 4 }] },
    });
    const many = Array.from({ length: 12 }, (_, n) => `10.0.1.${n}:1\n`).join('');
    const { notes, noteLines } = await add([
      { name: 'a.txt', source: '10.0.0.1:1\n' },
      { name: 'b.txt', source: many },
    ]);
    expect(notes).toEqual({ [note]: 13 });
    expect(noteLines?.[note]).toEqual([
      { file: 'a.txt', line: 1 },
      ...Array.from({ length: 9 }, (_, n) => ({ file: 'b.txt', line: n + 1 })),
    ]);
    expect(await add('h.example:1')).not.toHaveProperty('noteLines');
  });

  it('name a line once, also if it has several proxies', async () => {
    const { add } = pool();
    const record = { ip: '10.0.0.1', port: 1, protocols: ['http', 'socks5'] };
    expect(await add(JSON.stringify([record]))).toMatchObject({
      notes: { 'the address is private or of this machine': 2 },
      noteLines: { 'the address is private or of this machine': [{ line: 1 }] },
    });
  });

  it('are at most 300; others are counted', () => {
    const counter = new VerdictCounter();
    const proxy = { protocol: 'http', host: 'h.example', port: 1 } as const;
    for (let line = 1; line <= 305; line++)
      counter.add({ kind: 'proxy', line, proxy, notes: ['known', `note ${line}`] });
    const { notes = {}, noteLines = {}, notesMore } = counter.result({ added: 0, updated: 0, unchanged: 0 });
    expect([Object.keys(notes).length, Object.keys(noteLines).length, notesMore]).toEqual([300, 300, 6]);
    expect(notes.known).toBe(305);
  });

  it('of an annotation whose country was understood are stored with it', async () => {
    const { add, proxies } = pool();
    await add('192.0.2.26:8080 US');
    expect(proxies.findAll()).toMatchObject([{ host: '192.0.2.26', geolocation: { country: 'US' } }]);
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

  const hosts = (from: number, to: number): string =>
    Array.from({ length: to - from + 1 }, (_, n) => `h${from + n}.example:80`).join('\n');

  it('is stopped before it changes anything if it would remove more than half, by a wrong list', async () => {
    const { add, proxies, list, db } = pool();
    await add(hosts(1, 32), { tag: 'a', sync: true });
    const [first] = proxies.findAll();
    proxies.updateStats(String(first?.id), true, 50);
    const before = list();
    const wrong = 'h1.example:80\nother.example:80';
    for (const options of [
      {},
      { batch: 1 },
      { batch: 1000 },
      { maxRemove: 30 },
      { maxRemove: '90%' as const },
    ]) {
      const stopped: Removal[] = [];
      await expect(
        add(wrong, { tag: 'a', sync: true, ...options, onStopped: (removal) => stopped.push(removal) }),
      ).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(
          /would remove 31 of the 32 proxies .* Nothing was changed\..*--max-remove/,
        ),
        details: { tag: 'a', of: 32, leaving: 31, removed: 31 },
      });
      expect(stopped).toMatchObject([{ of: 32, leaving: 31, removed: 31, stopped: true }]);
      expect(stopped[0]?.proxies).toHaveLength(31);
      expect(stopped[0]?.proxies[0]).toEqual({
        id: proxies.findAll()[1]?.id,
        ...{ protocol: 'http', host: 'h2.example', port: 80, stays: false },
      });
    }
    expect(list()).toBe(before);
    expect([proxies.count(), new ProxyTagsRepository(db).count('a')]).toEqual([32, 32]);
    // Trying again does not wear the limit down.
    await expect(add(wrong, { tag: 'a', sync: true, batch: 1 })).rejects.toMatchObject({
      details: { of: 32 },
    });
    expect(await add(wrong, { tag: 'a', sync: true, maxRemove: '100%', batch: 1 })).toMatchObject({
      ...{ added: 1, unchanged: 1, removed: 31 },
      removal: { of: 32, leaving: 31, stopped: false },
    });
    expect(proxies.count()).toBe(2);
  });

  it.each([
    // had, keeps, limit, stopped
    [5, 2, undefined, false],
    [10, 1, undefined, false],
    [12, 2, undefined, true],
    [20, 10, undefined, false],
    [20, 9, undefined, true],
    [100, 50, undefined, false],
    [5, 2, '50%', true],
    [5, 3, '50%', false],
    [5, 4, 0, true],
    [5, 5, 0, false],
    [5, 3, 2, false],
    [5, 2, 2, true],
    [30, 1, '100%', false],
    [1000, 666, '33.3%', true],
    [1000, 667, '33.3%', false],
  ] as const)(
    'of %i proxies that keeps %i, with the limit %s: stopped: %s',
    async (had, keeps, maxRemove, stops) => {
      const { add, proxies } = pool();
      await add(hosts(1, had), { tag: 'a', sync: true });
      const sync = { tag: 'a', sync: true, maxRemove };
      const smaller = `${hosts(1, keeps)}\nnew.example:1`;
      expect((await add(smaller, { ...sync, dryRun: true })).removal?.stopped ?? false).toBe(stops);
      if (stops) {
        await expect(add(smaller, sync)).rejects.toMatchObject({
          details: { of: had, leaving: had - keeps },
        });
        expect(proxies.count()).toBe(had);
        expect(await add(smaller, { ...sync, force: true })).toMatchObject({ removed: had - keeps });
      } else {
        expect(await add(smaller, sync)).toMatchObject({ removed: had - keeps });
      }
      expect(proxies.count()).toBe(keeps + 1);
    },
  );

  it('counts what only loses the tag, and says that it stays', async () => {
    const { add, db, proxies } = pool();
    await add(hosts(1, 20), { tag: 'a', sync: true });
    await add(hosts(1, 15), { tag: 'b', sync: true });
    await expect(add('h20.example:80', { tag: 'a', sync: true })).rejects.toMatchObject({
      message: expect.stringContaining('(15 of them have another tag and stay in the pool)'),
      details: { of: 20, leaving: 19, removed: 4 },
    });
    const result = await add('h20.example:80', { tag: 'a', sync: true, dryRun: true });
    expect(result).toMatchObject({ removed: 4, removal: { leaving: 19, removed: 4, stopped: true } });
    expect(result.removal?.proxies.filter(({ stays }) => stays)).toHaveLength(15);
    expect(await add('h20.example:80', { tag: 'a', sync: true, force: true })).toMatchObject({ removed: 4 });
    expect([proxies.count(), new ProxyTagsRepository(db).count('a')]).toEqual([16, 1]);
  });

  it('in batches is tried as a whole first, which leaves nothing behind', async () => {
    const { add, db, encryption } = pool();
    const logins = (count: number): string =>
      Array.from({ length: count }, (_, n) => `h.example:${n + 1}:user${n}:pass${n}\n`).join('');
    const sync = { tag: 'a', sync: true, batch: 7 };
    const phases: string[] = [];
    expect(
      await add(logins(30), { ...sync, onProgress: ({ phase, done }) => phases.push(`${phase} ${done}`) }),
    ).toMatchObject({ lines: 30, added: 30, removed: 0 });
    expect(phases).toEqual([7, 14, 21, 28, 30].map((done) => `storing ${done}`));
    expect(await add(logins(30), sync)).toMatchObject({ added: 0, unchanged: 30, removed: 0 });
    expect(await add(logins(20), sync)).toMatchObject({ unchanged: 20, removed: 10 });
    expect(new ProxyTagsRepository(db).count('a')).toBe(20);
    expect(await encryption.verify()).toMatchObject({ ok: true });
    expect(await db.check()).toMatchObject({ ok: true });
    if (process.platform === 'linux') expect(openSpools()).toEqual([]);
  });

  it('names at most 1,000 of what leaves, and never a login', async () => {
    const { add } = pool();
    const many = Array.from({ length: 1005 }, (_, n) => `h.example:${n + 1}:canary-u:canary-p`).join('\n');
    await add(many, { tag: 'a', sync: true });
    const result = await add('h.example:1', { tag: 'a', sync: true, dryRun: true });
    expect(result.removal).toMatchObject({ leaving: 1005, of: 1005, stopped: true });
    expect(result.removal?.proxies).toHaveLength(1000);
    expect(JSON.stringify(result)).not.toContain('canary');
  });
});
