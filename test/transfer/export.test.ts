import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionService, exportProxies, importProxies, type LeftOut, ProxyRepository } from 'proxyvault';
import { EXPORT_FORMATS, type Geolocation } from 'proxyvault/lists';
import { describe, expect, it } from 'vitest';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

const EXAMPLE = new URL('../../examples/proxies.txt', import.meta.url);
const LISTS = new URL('../../../shared/data/proxy-lists/', import.meta.url);

const keys = (): EncryptionService => new EncryptionService({ keyFile: join(temporaryFolder(), 'key') });

describe('an export', () => {
  it.each(EXPORT_FORMATS)(
    'as %s comes back as an identical pool, but for what is said to be left out',
    async (format) => {
      const encryption = keys();
      const from = openMigrated();
      await importProxies(from, readFileSync(EXAMPLE, 'utf8'), { encryption });
      if (existsSync(LISTS)) await importProxies(from, [readFileSync(new URL('proxies.json', LISTS))]);
      new ProxyRepository(from, encryption).create({
        host: 'h.example',
        port: 1,
        protocol: 'http',
        name: 'One, "two"',
        credentials: { username: 'a:b', password: ' @:% ' },
      });
      const leftOut: LeftOut[] = [];
      const text = [
        ...exportProxies(from, { encryption, format, reveal: true, onLeftOut: (each) => leftOut.push(each) }),
      ].join('');
      expect(leftOut).toHaveLength(format === 'colon' ? 1 : 0);
      const to = openMigrated();
      expect(await importProxies(to, [Buffer.from(text)], { encryption })).toMatchObject({
        added: new ProxyRepository(from).count() - leftOut.length,
        refused: [],
      });
      expect([...exportProxies(to, { encryption, format, reveal: true })].join('')).toBe(text);
      if (format === 'csv' || format === 'json') {
        const facts = (db: typeof to): unknown[] =>
          new ProxyRepository(db).findAll().map(({ id: _, createdAt: __, updatedAt: ___, ...rest }) => rest);
        expect(facts(to)).toEqual(facts(from));
      }
    },
  );

  it.each<[Geolocation, Geolocation | null]>([
    [{ asn: 0 }, null],
    [{}, null],
    [{ country: 'DE', asn: 0 }, { country: 'DE' }],
    [{ city: 'Unknown', region: 'N/A', timezone: '-', asn: 1 }, { asn: 1 }],
    [{ country: 'ZZ', city: ' Berlin ' }, { city: 'Berlin' }],
  ])('of a proxy in %j has what is known of the place, in every format', async (geolocation, known) => {
    const from = openMigrated();
    new ProxyRepository(from).create({ host: 'h.example', port: 1, protocol: 'http', geolocation });
    for (const format of EXPORT_FORMATS) {
      const leftOut: LeftOut[] = [];
      const text = [...exportProxies(from, { format, onLeftOut: (each) => leftOut.push(each) })].join('');
      expect(leftOut).toEqual([]);
      const to = openMigrated();
      await importProxies(to, text);
      const carried = format === 'csv' || format === 'json' ? known : null;
      expect(new ProxyRepository(to).findAll()).toMatchObject([{ host: 'h.example', geolocation: carried }]);
    }
  });

  it('gives a proxy that moves meanwhile with the address that its login belongs to', () => {
    const encryption = keys();
    const db = openMigrated();
    const proxies = new ProxyRepository(db, encryption);
    const ids = Array.from({ length: 300 }, (_, n) =>
      proxies.create({
        host: 'old.example',
        port: n + 1,
        protocol: 'http',
        credentials: { username: 'u', password: `p${n + 1}` },
      }),
    ).map(({ id }) => id);
    const lines: string[] = [];
    const leftOut: LeftOut[] = [];
    const options = { encryption, format: 'urls', reveal: true } as const;
    for (const text of exportProxies(db, { ...options, onLeftOut: (each) => leftOut.push(each) })) {
      if (text.trim() === '') continue;
      lines.push(text.trim().replace(/#.*/, ''));
      if (lines.length === 1) for (const id of ids.slice(1)) proxies.update(id, { host: 'new.example' });
    }
    expect(leftOut).toEqual([]);
    expect(lines).toHaveLength(300);
    expect(lines.slice(0, 2)).toEqual(['http://u:p1@old.example:1', 'http://u:p2@new.example:2']);
    for (const line of lines.slice(1)) expect(line).toMatch(/^http:\/\/u:p(\d+)@new\.example:\1$/);
  });

  it('masks logins unless they are to be revealed', async () => {
    const encryption = keys();
    const db = openMigrated();
    await importProxies(db, 'http://canary-u:canary-p@h.example:1#name', { encryption });
    for (const format of EXPORT_FORMATS) {
      const text = [...exportProxies(db, { encryption, format })].join('');
      expect(text).toContain('***');
      expect(text).not.toContain('canary');
    }
  });

  it('writes a line as its layout says, and templates with their placeholders', async () => {
    const encryption = keys();
    const db = openMigrated();
    await importProxies(db, 'http://u-{session}:p%40@h.example:1\nh.example:2', { encryption });
    const write = (layout?: string): string =>
      [...exportProxies(db, { encryption, format: 'template', layout, reveal: true })].join('');
    expect(write()).toBe('http://u-{session}:p%40@h.example:1\nhttp://h.example:2\n');
    expect(write('{host}:{port}@{username}:{password}')).toBe('h.example:1@u-{session}:p@\n');
    expect([...exportProxies(openMigrated(), {})].join('')).toBe('');
  });
});
