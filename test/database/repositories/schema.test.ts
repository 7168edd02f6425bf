import { readFileSync } from 'node:fs';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../support/temporary.ts';

/** The specification's DDL, as it stands there. */
const SPECIFIED = readFileSync(new URL('../../fixtures/codemap.sql', import.meta.url), 'utf8');

const normalize = (sql: string): string =>
  sql
    .replace(/--.*$/gm, '')
    .replace(/\s+/g, ' ')
    .replace(/IF NOT EXISTS /g, '')
    .trim();

const objects = (db: DatabaseManager): Map<string, string> =>
  new Map(
    db.driver.all(
      `SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'schema_migrations' AND name NOT LIKE 'sqlite%'`,
      {},
      (row) => [String(row.name), normalize(String(row.sql))],
    ),
  );

describe('the schema', () => {
  it('after schema.sql and 001 is the specification\u2019s, to the letter', () => {
    const db = openDatabase();
    db.migrations.to(1);
    const specified = new Map(
      SPECIFIED.split(';')
        .map(normalize)
        .filter((sql) => sql !== '')
        .map((sql) => [String(/^CREATE (?:TABLE|INDEX) (\w+)/.exec(sql)?.[1]), sql]),
    );
    expect(specified.size).toBe(13);
    expect(objects(db)).toEqual(specified);
  });

  it('takes and gives back rows when 002 goes up, down and up', () => {
    const db = openDatabase();
    db.migrations.to(1);
    db.driver.exec(`
      INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'http');
      INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag) VALUES ('p', 'a', 'b', 'c');
      INSERT INTO sticky_sessions (domain, proxy_id, ttl_ms, last_used) VALUES ('d.example', 'p', 1500, '2026-01-01 00:00:00');
      INSERT INTO proxy_usage_stats (proxy_id, date) VALUES ('p', '2026-01-01');
      INSERT INTO rotation_rules (id, name, conditions_json, actions_json) VALUES ('r', 'n', '[]', '[]');`);
    const rows = (): unknown[] =>
      ['proxies', 'encrypted_credentials', 'sticky_sessions', 'proxy_usage_stats', 'rotation_rules'].map(
        (table) => db.driver.all(`SELECT * FROM ${table}`, {}, (row) => ({ ...row })),
      );
    const before = rows();
    db.migrations.up();
    expect(db.driver.first('SELECT expires_at FROM sticky_sessions', {}, (row) => row.expires_at)).toBe(
      '2026-01-01 00:00:01.500',
    );
    db.migrations.to(1);
    expect(rows()).toEqual(before);
    db.migrations.up();
    expect(db.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
  });

  it('keeps the proxies when 004 goes down and up, and their tags go with them', () => {
    const db = openDatabase();
    db.migrations.up();
    db.driver.exec(`
      INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'http'), ('q', 'n', 'h', 2, 'http');
      INSERT INTO proxy_tags (proxy_id, tag, import_id) VALUES ('p', 't', 'i'), ('q', 't', 'i');
      DELETE FROM proxies WHERE id = 'q';`);
    const count = (table: string): unknown =>
      db.driver.first(`SELECT count(*) AS n FROM ${table}`, {}, (row) => row.n);
    expect(count('proxy_tags')).toBe(1);
    db.migrations.to(2);
    db.migrations.up();
    expect([count('proxies'), count('proxy_tags')]).toEqual([1, 0]);
  });
});
