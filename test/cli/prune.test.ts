import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const DAY = 86_400_000;
const stored = (daysAgo: number): string =>
  new Date(Date.now() - daysAgo * DAY).toISOString().replace('T', ' ').slice(0, 23);

/** A pool with 12,000 old events and two that are young, and a day of usage two years ago and one of today. */
function withHistory() {
  const cli = commandLine();
  const { id } = cli.json<{ id: string }>('add', 'http://u:canary@h.example:1');
  cli.json('report', id, '--ok');
  const db = new Database(cli.db);
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
     INSERT INTO rotation_events (timestamp, new_proxy_id, reason) SELECT ?, ?, 'manual' FROM n`,
  ).run(stored(31), id);
  for (const days of [29, 0])
    db.prepare(`INSERT INTO rotation_events (timestamp, new_proxy_id, reason) VALUES (?, ?, 'startup')`).run(
      stored(days),
      id,
    );
  db.prepare(
    `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms, latency_count)
     VALUES (?, ?, 1, 1, 0, 0, 0)`,
  ).run(id, stored(730).slice(0, 10));
  db.close();
  return { ...cli, id, bytes: () => statSync(cli.db).size };
}

describe('prune', () => {
  it('needs something to remove, and an age with its unit', () => {
    const { run, json } = withHistory();
    const without = run(['prune']);
    expect(without).toMatchObject({ status: 2, stdout: '' });
    expect(without.stderr).toMatch(/--events-older-than, --usage-older-than or --vacuum/);
    for (const age of ['30', '30days', '-1d', '']) {
      const { status, stderr } = run(['prune', `--events-older-than=${age}`]);
      expect([age, status]).toEqual([age, 2]);
      expect(stderr).toMatch(/ms, s, m, h, d or w/);
    }
    expect(json('events')).toMatchObject({ counts: { manual: 12_000, startup: 2 } });
  });

  it('removes what is older in pieces, says how much, and keeps the rest', () => {
    const { run, json, bytes, id } = withHistory();
    const before = bytes();
    const { status, stdout } = run(['prune', '--events-older-than', '30d', '--usage-older-than', '400d']);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^Removed 12000 events and 1 rows of usage.*\n\d{7} bytes of the file are free for new rows; --vacuum/,
    );
    expect(json('events')).toMatchObject({ counts: { manual: 0, startup: 2 } });
    expect(json('show', id)).toMatchObject({ usage: { requestCount: 1 } });
    expect(bytes()).toBe(before);
    // However old an age is.
    expect(json('prune', '--events-older-than', '900000w', '--usage-older-than', '1w')).toMatchObject({
      removedEvents: 0,
      removedUsageRows: 0,
      freedBytes: null,
    });
  });

  it('--vacuum makes the file smaller, and the logins still open', () => {
    const { json, bytes, id } = withHistory();
    const before = bytes();
    const report = json<{ freedBytes: number }>('prune', '--events-older-than', '30d', '--vacuum');
    expect(report).toMatchObject({
      removedEvents: 12_000,
      removedUsageRows: 0,
      reusableBytes: 0,
      complete: true,
    });
    expect(bytes()).toBe(before - report.freedBytes);
    expect(bytes()).toBeLessThan(before / 2);
    expect(json('show', id, '--reveal')).toMatchObject({ url: 'http://u:canary@h.example:1' });
    expect(json('check', '--deep')).toMatchObject({ ok: true });
    expect(json('prune', '--vacuum')).toMatchObject({ removedEvents: 0, removedUsageRows: 0, freedBytes: 0 });
  });

  it('that fails in a later piece says what is gone already, and continues when it is run again', () => {
    const { run, db: path, json } = withHistory();
    const db = new Database(path);
    db.exec(`CREATE TRIGGER keeps BEFORE DELETE ON rotation_events WHEN old.id = 7000
             BEGIN SELECT RAISE(ABORT, 'kept'); END`);
    const { status, stdout, stderr } = run(['prune', '--events-older-than', '30d']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/5000 events and 0 rows of usage were removed, and the rest was not: /);
    expect(json('events')).toMatchObject({ counts: { manual: 7000 } });
    db.exec('DROP TRIGGER keeps');
    db.close();
    expect(json('prune', '--events-older-than', '30d')).toMatchObject({ removedEvents: 7000 });
  });

  it('that cannot vacuum while another program reads says so, and what is gone already', () => {
    const { run, db: path, json } = withHistory();
    using reader = initDatabase({ path, busyTimeoutMs: 0 });
    const proxies = new ProxyRepository(reader);
    const reading = proxies.iterate();
    reading.next();
    proxies.create({ host: 'late.example', port: 1, protocol: 'http' });
    const { status, stdout, stderr } = run(['prune', '--events-older-than', '30d', '--vacuum']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /12000 events and 0 rows of usage were removed, but their space was not given back: .*another program still uses it.*\(BUSY\)/,
    );
    reading.return?.();
    expect(json('prune', '--vacuum')).toMatchObject({ complete: true });
  }, 60_000);
});
