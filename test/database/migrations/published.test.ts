import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openDatabase, openMigrated } from '../../support/temporary.ts';

/** SHA-256 of each published file, as it is recorded in users' pools. Add a line for a new migration; never change one. */
const PUBLISHED: Record<string, string> = {
  '000_schema': '783fff94fd2211f4375b421d1b51b3adab50ed40118af6207dded4f0aa5ec94a',
  '001_proxy_rotation_system': 'c7fd13efb7499ea88481b3a04035c96190ab8cc8466effb31347ef062ea11d0c',
  '002_identity_expiry_and_indexes': '4e5d460582224255f8dd7bef60d26ddd6404480b8de721a81b4354e4e9a847ff',
  '003_encryption_keys': 'cdfe36e38b49a2ae8b15a15c50800812ef55317686f51df43b2be35a35d0a5a0',
  '004_proxy_tags': '4af37b762bed6f35ceaeb5d18c6e2417ad7e36ae9558c2b1b4e523cc7e24b27b',
  '005_address_binding': '4a4d89979f4c74d922b322d4d9bce637d842ed24f8f7e872191efea9cdce505e',
  '006_remote_dns': '75e317ae2887b1f05ab8d45bed2e178c3033e4008182fbe3ef5614e887302595',
  '007_password_identity': '483bad46f9f94c0bba0b6d113045301201c9042fbafedcddf4de5eac4083c688',
  '008_proxy_names': '43f020763acc99c70c57a133d2e9696fc8cf2c5c6b4b26127414f2dc66b1e95b',
  '009_rotation_engine': 'f0cba0814be2fe71ae1a28a17353754a46a690f7716d1bb6add672105c174bbb',
  '010_leases_and_health': 'faf899739e35116c46955580bc303663c3a12ddb02a15b75398eea8504b0d322',
  '011_logins_bring_back': '47a50ce46aa2fd92576ce82c25f2ed2ef665b332c14f0e03a07b3a72abb9f257',
};

const DATABASE = new URL('../../../src/database/', import.meta.url);

const textOf = (name: string): string =>
  readFileSync(
    new URL(name === '000_schema' ? 'schema.sql' : `migrations/${name}.sql`, DATABASE),
    'utf8',
  ).replaceAll('\r\n', '\n');

const names = [
  '000_schema',
  ...readdirSync(new URL('migrations/', DATABASE))
    .filter((name) => name.endsWith('.sql'))
    .map((name) => name.slice(0, -4))
    .sort(),
];

describe('a published migration', () => {
  it.each(Object.entries(PUBLISHED))('%s is not edited, not even a comment of it', (name, checksum) => {
    expect(names, `${name}.sql is gone, and users have applied it: put it back`).toContain(name);
    expect(
      createHash('sha256').update(textOf(name)).digest('hex'),
      `${name}.sql was edited, so every pool that has it would no longer open (MIGRATION_CHANGED): restore the file, and add a new migration instead`,
    ).toBe(checksum);
  });

  it('is in the list of this test', () => {
    expect(names, 'add the checksum of the new migration to PUBLISHED').toEqual(Object.keys(PUBLISHED));
  });

  it('is recorded by its name, number and checksum, in the order of the numbers', () => {
    const db = openMigrated({ path: ':memory:', clock: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) });
    const lines = db.driver.all('SELECT * FROM schema_migrations ORDER BY position', {}, (row) => ({
      ...row,
    }));
    expect(lines).toEqual(
      Object.entries(PUBLISHED).map(([name, checksum], n) => ({
        position: n + 1,
        namespace: 'proxyvault',
        version: Number(name.slice(0, 3)),
        name,
        checksum,
        applied_at: '2026-01-02T03:04:05.006Z',
      })),
    );
  });

  it('is run as it is written: the schema is what SQLite makes of the files', () => {
    const db = openMigrated({ path: ':memory:' });
    const byHand = openDatabase({ path: ':memory:' });
    for (const name of Object.keys(PUBLISHED)) {
      const [up = ''] = textOf(name).split('\n-- Down\n');
      byHand.driver.exec(up);
    }
    const schemaOf = (of: typeof db): unknown[] =>
      of.driver.all(
        `SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> 'schema_migrations' ORDER BY type, name`,
        {},
        (row) => ({ ...row }),
      );
    expect(schemaOf(db)).toEqual(schemaOf(byHand));
  });
});
