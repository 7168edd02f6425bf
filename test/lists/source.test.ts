import { createReadStream, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { exportProxies, importProxies, ProxyRepository } from 'proxyvault';
import { parseProxyLine } from 'proxyvault/lists';
import { describe, expect, it } from 'vitest';
import { type ListSource, parseProxyList } from '../../src/lists/index.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

async function endpointsOf(source: unknown): Promise<string[]> {
  const endpoints: string[] = [];
  for await (const verdict of parseProxyList(source as ListSource))
    endpoints.push(
      verdict.kind === 'proxy' ? `${verdict.line} ${verdict.proxy.host}:${verdict.proxy.port}` : verdict.kind,
    );
  return endpoints;
}

const TEXT = 'http://a.example:1\nhttp://b.example:2\n';
const BOTH = ['1 a.example:1', '2 b.example:2'];

function file(name = 'list.txt'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, TEXT);
  return path;
}

function* cut(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += 3) yield text.slice(at, at + 3);
}

async function* cutBytes(text: string): AsyncGenerator<Uint8Array> {
  for (const piece of cut(text)) yield Buffer.from(piece);
}

describe('a list', () => {
  const sources: [shape: string, source: () => unknown][] = [
    ['a text', () => TEXT],
    ['a Buffer', () => Buffer.from(TEXT)],
    ['a Uint8Array', () => new TextEncoder().encode(TEXT)],
    ['an array of lines', () => ['http://a.example:1', 'http://b.example:2']],
    ['an array of lines with their ends', () => ['http://a.example:1\r\n', 'http://b.example:2']],
    ['an array of URLs', () => [new URL('http://a.example:1'), new URL('http://b.example:2')]],
    ['an array of both', () => ['http://a.example:1', new URL('http://b.example:2')]],
    ['an array of one text', () => ['http://a.example:1\nhttp://b.example:2']],
    ['an array of bytes', () => [Buffer.from(TEXT.slice(0, 5)), Buffer.from(TEXT.slice(5))]],
    ['a set of lines', () => new Set(TEXT.trim().split('\n'))],
    ['a generator of pieces', () => cut(TEXT)],
    ['an async generator of bytes', () => cutBytes(TEXT)],
    ['a Node stream', () => Readable.from([Buffer.from(TEXT)])],
    ['a file stream', () => createReadStream(file())],
    ['a web stream', () => new Blob([TEXT]).stream()],
    ['a response body', () => new Response(TEXT).body],
    ['lines of a file', () => createInterface({ input: createReadStream(file()) })],
    ['a path', () => ({ file: file() })],
    ['a file: URL', () => ({ file: pathToFileURL(file('a b.txt')) })],
  ];
  it.each(sources)('may be %s', async (_, source) => {
    expect(await endpointsOf(source())).toEqual(BOTH);
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    expect(await importProxies(db, source() as ListSource)).toMatchObject({ added: 2, refused: [] });
  });

  it('may be one URL, with the port that belongs to its scheme, and its login and name', async () => {
    const read = async (url: string): Promise<unknown> => {
      for await (const verdict of parseProxyList(new URL(url))) return verdict;
      return null;
    };
    expect(await read('http://h.example:80')).toMatchObject({ proxy: { protocol: 'http', port: 80 } });
    expect(await read('https://h.example:443/')).toMatchObject({ proxy: { protocol: 'https', port: 443 } });
    expect(await read('http://u:p%40%3A@[2001:db8::1]:8080/#n')).toMatchObject({
      proxy: { host: '2001:db8::1', port: 8080, username: 'u', password: 'p@:', name: 'n' },
    });
    expect(await read('socks5://u:p%40@h.example:1080')).toMatchObject({
      proxy: { protocol: 'socks5', port: 1080, password: 'p@' },
    });
    expect(await read('socks5://h.example')).toMatchObject({ code: 'missing-port' });
    expect(await read('http://h.example/path')).toMatchObject({ kind: 'refused' });
  });

  it('of many lines keeps their numbers, and blank ones', async () => {
    const lines = Array.from({ length: 30_000 }, (_, n) => `h.example:${n + 1}`);
    expect((await endpointsOf(lines)).at(-1)).toBe('30000 h.example:30000');
    expect(await endpointsOf(['a.example:1', '', '# c', 'b.example:2'])).toEqual([
      ...['1 a.example:1', 'blank', 'comment', '4 b.example:2'],
    ]);
    expect(await endpointsOf([])).toEqual([]);
  });

  const invalid: [what: string, source: () => unknown, says: string][] = [
    ['undefined', () => undefined, 'this is undefined'],
    ['null', () => null, 'this is null'],
    ['a number', () => 17, 'this is a number'],
    ['a function', () => () => TEXT, 'this is a function'],
    ['an object', () => ({ host: 'canary' }), 'this is an object of the class Object'],
    ['an object without a class', () => Object.create(null), 'class Object'],
    ['a date', () => new Date(), 'class Date'],
    ['a Promise', () => Promise.resolve(TEXT), 'await it first'],
    ['a Map', () => new Map([['canary', 1]]), 'class Map'],
    ['other numbers', () => new Uint16Array(4), 'class Uint16Array'],
    ['an ArrayBuffer', () => new ArrayBuffer(4), 'class ArrayBuffer'],
    ['a Response', () => new Response(TEXT), 'class Response'],
    ['no path', () => ({ file: 17 }), 'this is a number'],
    ['an empty path', () => ({ file: '' }), 'an empty text'],
    ['a path with NUL', () => ({ file: 'a\0b' }), 'file must be a path'],
    ['a URL of a file', () => pathToFileURL('/list.txt'), '{ file: url }'],
    ['null among URLs', () => ['http://a.example:1', null], 'at index 1 it has null'],
    ['a hole among URLs', () => new Array(2), 'at index 0 it has undefined'],
    ['a number among lines', () => ['http://u:canary@a.example:1', 'x', 3], 'at index 2 it has a number'],
    ['arrays', () => [['a.example', 1]], 'at index 0 it has an array'],
    ['records', () => [{ host: 'canary', port: 1 }], 'at index 0 it has an object'],
    ['bytes and lines', () => [Buffer.from('x'), 'y'], 'at index 0 it has an object of the class Buffer'],
    ['pieces in an array', () => ['a.example:1\nh.ex', 'ample:2\n'], 'at index 0 it has several lines'],
    ['an invalid piece', () => Readable.from([{ host: 'canary' }]), 'A piece of a list is a text or bytes'],
    ['invalid pieces', () => [17][Symbol.iterator](), 'this is a number'],
  ];
  it.each(invalid)('is not %s', async (_, source, says) => {
    await expect(endpointsOf(source())).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(says),
    });
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const error = await importProxies(db, source() as ListSource, { batch: 1 }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(error.message).not.toContain('canary');
    expect(new ProxyRepository(db).count()).toBe(0);
  });

  it('may be a file that cannot be read: the error names it', async () => {
    const folder = temporaryFolder();
    for (const [path, errno] of [
      [join(folder, 'missing.txt'), 'ENOENT'],
      [folder, 'EISDIR'],
      [join(file(), 'x'), 'ENOTDIR'],
    ] as const)
      await expect(endpointsOf({ file: path })).rejects.toMatchObject({
        code: 'CANNOT_OPEN',
        message: expect.stringContaining(path),
        details: { errno, path },
      });
  });

  it('is closed when its reader stops early', async () => {
    const stream = createReadStream(file());
    for await (const _ of parseProxyList(stream)) break;
    expect(stream.destroyed).toBe(true);
    const path = file();
    for await (const _ of parseProxyList({ file: path })) break;
    if (process.platform === 'linux') expect(openSync(path, 'r')).toBeLessThan(200);
  });
});

describe('an import', () => {
  it.each([
    './list.txt',
    'list.csv',
    '/a/b/list',
    '..\\lists\\today.yaml',
    'C:\\lists\\a.txt',
    ' lists/today\n',
  ])('of the text %j says that it is a path, and what to write', async (path) => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const rejected = { code: 'INVALID_INPUT', message: expect.stringContaining('{ file: ') };
    await expect(importProxies(db, path)).rejects.toMatchObject(rejected);
    await expect(importProxies(db, [{ name: 'a', source: path }])).rejects.toMatchObject(rejected);
  });

  it.each([
    ['lists/a.txt', '"lists/a.txt"'],
    ['C:\\lists\\a.txt', '"C:\\\\lists\\\\a.txt"'],
    ['canary:p/a.txt', 'path'],
    ['u:canary.txt', 'path'],
    ['u:canary/list', 'path'],
  ])('of the path %j repeats it only if it holds no login', async (path, shown) => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const error = await importProxies(db, path).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(error.message).toContain(`give { file: ${shown} }.`);
    expect(error.message).not.toContain('canary');
  });

  it('of a text that is no path reads it', async () => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const texts = ['http://a.example:1', 'a.example:1/', '# /a/b', '// a'];
    for (const text of [...texts, '["http://a.example:1"]'])
      for await (const verdict of parseProxyList(text)) expect(verdict.line).toBe(1);
    for (const text of ['http://a.example:1', '["http://a.example:1"]'])
      await expect(importProxies(db, text, { dryRun: true })).resolves.toMatchObject({ added: 1 });
    for (const text of texts) {
      const error = await importProxies(db, text, { dryRun: true }).catch((thrown) => thrown);
      expect(String(error.message)).not.toContain('looks like a path');
    }
  });

  it('of a URL of a list says that nothing is downloaded', async () => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const urls = [
      'https://a.example/list.txt?key=canary',
      'http://a.example:8080/list',
      'https://a.example?key=canary',
    ];
    for (const url of urls.flatMap((text) => [text, new URL(text), [{ name: 'a', source: text }]])) {
      const error = await importProxies(db, url).catch((thrown) => thrown);
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('downloads nothing'),
      });
      expect(error.message).not.toContain('canary');
    }
    const proxies = [
      'http://a.example:1/',
      new URL('http://a.example:1/'),
      'https://t.me/socks?server=a.example&port=1',
    ];
    for (const proxy of proxies)
      expect(await importProxies(db, proxy, { dryRun: true })).toMatchObject({ added: 1 });
  });

  it('never shows what may be a login', async () => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const error = await importProxies(db, 'canary:canary/x.txt').catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(error.message).not.toContain('canary');
  });

  it('of several lists checks each before it reads one', async () => {
    const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
    const first = { name: 'a', source: TEXT };
    for (const lists of [
      [first, 'http://a.example:1'],
      [first, { name: 'b' }],
      [first, { name: 'b', source: 17 }],
      [first, { name: 'b', source: './list.txt' }],
    ])
      await expect(importProxies(db, lists as never, { batch: 1 })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      });
    expect(new ProxyRepository(db).count()).toBe(0);
    const lists = [first, { name: 'b', source: { file: file() } }, { name: 'c', source: ['c.example:3'] }];
    expect(await importProxies(db, lists)).toMatchObject({ added: 3, lines: 5 });
  });
});

it('an option outside its range is INVALID_INPUT, whatever the list has', async () => {
  const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
  const wrong = [
    { format: 'foxyproxy' },
    { protocol: 'socks5h' },
    { protocol: '' },
    { strictProtocol: 'yes' },
    null,
    'json',
  ];
  for (const options of wrong as never[]) {
    const rejected = { code: 'INVALID_INPUT' };
    await expect(parseProxyList('socks5://a.example:1', options).next()).rejects.toMatchObject(rejected);
    await expect(importProxies(db, 'socks5://a.example:1', options)).rejects.toMatchObject(rejected);
    expect(() => parseProxyLine('socks5://a.example:1', options)).toThrow(expect.objectContaining(rejected));
  }
  expect(new ProxyRepository(db).count()).toBe(0);
  for (const line of [5, null, undefined, Buffer.from('a.example:1')] as never[])
    expect(() => parseProxyLine(line)).toThrow(/^A line must be a text; this is /);
  expect(() => [...exportProxies(db, { format: 'xml' as never })]).toThrow(
    'format must be one of urls, colon, csv, json, template.',
  );
});

it('an import of a login without a key says where to give it', async () => {
  const db = openMigrated({ path: join(temporaryFolder(), 'pool.db') });
  await expect(importProxies(db, 'a.example:1:u:p')).rejects.toThrow('or as the option `encryption`');
});
