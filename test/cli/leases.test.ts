/** How scripts use a lease: `next` gives it in one process, `report` takes it in another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';

interface Handed {
  id: string;
  host: string;
  url: string;
  lease: { id: string; expiresAt: string };
}

interface Cooldown {
  domain: string | null;
  session: string | null;
  source: string;
  kind: string;
  until: string | null;
  detail: string | null;
  state: string;
}

interface Reported {
  id: string;
  status: string;
  totalRequests: number;
  failureCount: number;
  cooldowns: Cooldown[];
}

const CSV = `protocol,host,port,username,password,name
http,a.example,1,me,canary-1,first
http,b.example,2,,,second
http,c.example,3,,,third
`;

const MINUTE = 60_000;

function withPool(csv = CSV) {
  const cli = commandLine();
  expect(cli.run(['import', '-'], { input: csv }).status).toBe(0);
  const next = (...args: string[]): Handed => cli.json('next', ...args);
  const report = (...args: string[]): Reported => cli.json('report', ...args);
  const error = (...args: string[]): string => {
    const { status, stderr } = cli.run(args);
    expect([args, status]).toEqual([args, 1]);
    return stderr;
  };
  return { ...cli, next, report, error };
}

/** How far a time is away, in milliseconds. */
const away = (iso: string | null | undefined): number => Date.parse(iso ?? '') - Date.now();

describe('next', () => {
  it('prints the URL alone, and names the lease on standard error', () => {
    const { run } = withPool();
    const { stdout, stderr } = run(['next', '--domain', 'shop.example']);
    expect(stdout).toBe('http://***:***@a.example:1\n');
    expect(stderr).toMatch(/^Lease: lease-\S+ until \d{4}-\S+Z$/m);
    expect(run(['next', '--quiet']).stderr).toBe('');
  });

  it('gives a lease of the configured length, or of --lease', () => {
    const { next, run } = withPool();
    const lengths = [away(next().lease.expiresAt), away(next('--lease', '5m').lease.expiresAt)];
    for (const [n, length] of [MINUTE, 5 * MINUTE].entries()) {
      expect(lengths[n]).toBeLessThanOrEqual(length);
      expect(lengths[n]).toBeGreaterThan(length - 30_000);
    }
    for (const wrong of ['5', 'soon', '-1m'])
      expect([wrong, run(['next', `--lease=${wrong}`]).status]).toEqual([wrong, 2]);
  });

  it('says when the next proxy could be ready', () => {
    const { run, runProcess, error } = withPool();
    run(['cool', 'first', 'second', 'third', '--for', '10m']);
    expect(error('next')).toMatch(/3 are cooling\. The next one may be ready at \d{4}-\S+Z\./);
    expect(runProcess(['next']).stdout).toBe('http://no-proxy-available.invalid:1\n');
  });

  it('waits with --wait until a cooldown is over', () => {
    const { next, run } = withPool();
    run(['cool', 'first', 'second', 'third', '--for', '1h']);
    run(['cool', 'second', '--for', '1500ms']);
    expect(next('--wait', '30s').host).toBe('b.example');
  });

  it('sees while it waits what another process lets back in', async () => {
    const { run, env } = withPool();
    run(['cool', 'first', 'second', 'third', '--for', '1h']);
    const child = spawn(process.execPath, [BIN, 'next', '--wait', '50s'], { env, stdio: 'pipe' });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    const ended = once(child, 'close');
    // It has said which pool, and so waits or soon will.
    await once(child.stderr, 'data');
    expect(stdout).toBe('');
    run(['reset', 'third']);
    expect((await ended)[0]).toBe(0);
    expect(stdout).toBe('http://c.example:3\n');
  });

  it('ends a wait that was in vain as any other failure, and does not wait for what cannot come', () => {
    const { run, runProcess } = withPool();
    const begun = performance.now();
    const refused = runProcess(['next', '--country', 'JP', '--wait', '50s']);
    expect(refused).toMatchObject({ status: 1, stdout: 'http://no-proxy-available.invalid:1\n' });
    expect(performance.now() - begun).toBeLessThan(40_000);
    run(['cool', 'first', 'second', 'third', '--for', '1h']);
    expect(runProcess(['next', '--wait', '200ms'])).toMatchObject({
      status: 1,
      stdout: 'http://no-proxy-available.invalid:1\n',
      stderr: expect.stringMatching(/No proxy was ready within 200 ms\. .*may be ready at/),
    });
  });
});

describe('report of a lease', () => {
  it('counts its request, and puts the proxy out for the domain of the lease', () => {
    const { next, report, run } = withPool();
    const { id, lease } = next('--domain', 'shop.example');
    const reported = report(lease.id, '--fail', 'blocked', '--status', '429', '--retry-after', '5m');
    expect(reported).toMatchObject({ id, totalRequests: 1 });
    expect(reported.cooldowns).toMatchObject([
      { domain: 'shop.example', session: null, kind: 'blocked', source: 'engine', state: 'cooling' },
    ]);
    expect(away(reported.cooldowns[0]?.until)).toBeGreaterThan(4 * MINUTE);
    for (let n = 0; n < 4; n++) expect(next('--domain', 'shop.example').id).not.toBe(id);
    expect(
      run(['next', '--domain', 'other.example', '--exclude', 'second', '--exclude', 'third']).status,
    ).toBe(0);
  });

  it('says in words what follows', () => {
    const { next, run } = withPool();
    const { lease } = next('--domain', 'shop.example');
    expect(run(['report', lease.id, '--fail', '--status', '429']).stdout).toMatch(
      /^first: active, 1 requests, .*\nIt is out for shop\.example until (?:\S+ )?\d\d:\d\d:\d\d UTC \(blocked, status 429\)\.\n$/,
    );
    expect(run(['report', next().lease.id, '--ok', '--latency', '120', '--bytes', '4096']).stdout).toMatch(
      /^second: active, 1 requests, 100 % success, 0 failures in a row\.\n$/,
    );
  });

  it('decides by the status alone, as the configuration says', () => {
    const { next, report } = withPool();
    expect(report(next().lease.id, '--status', '200')).toMatchObject({ failureCount: 0, cooldowns: [] });
    expect(report(next().lease.id, '--status', '407').cooldowns).toMatchObject([
      { kind: 'auth', until: null, domain: null },
    ]);
  });

  it('is NOT_FOUND the second time, and for an unknown one, and says what to do', () => {
    const { next, report, error, json } = withPool();
    const { id, lease } = next();
    report(lease.id, '--ok');
    for (const each of [lease.id, 'lease-nobody'])
      expect(error('report', each, '--ok')).toMatch(/reported before.*Nothing was recorded.*\(NOT_FOUND\)/);
    expect(json('show', id)).toMatchObject({ totalRequests: 1 });
  });

  it('knows its domain and session', () => {
    const { next, run } = withPool();
    const { lease } = next();
    for (const option of ['--domain', '--session'])
      expect(run(['report', lease.id, '--ok', option, 'x.example'])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('a lease knows its domain'),
      });
  });
});

describe('report of a proxy', () => {
  it('takes a kind, a status, a domain and a session', async () => {
    const { report, db } = withPool();
    const blocked = report('first', '--status', '403', '--domain', 'https://shop.example/x');
    expect(blocked.cooldowns).toMatchObject([
      { domain: 'shop.example', kind: 'blocked', detail: 'status 403' },
    ]);
    expect(report('second', '--fail', 'connect').cooldowns).toMatchObject([
      { domain: null, kind: 'connect' },
    ]);
    expect(report('third', '--fail').cooldowns).toEqual([]);
    for (let n = 0; n < 2; n++) report('third', '--fail');
    expect(report('third', '--ok', '--domain', 'x.example').cooldowns).toEqual([]);
    for (let n = 0; n < 2; n++) report('third', '--fail');
    expect(report('third', '--fail').cooldowns).toMatchObject([{ kind: 'reset', times: 1 }]);
    await using vault = await openVault({ path: db });
    // Most of the pool cools, so the first to come back is used.
    expect(vault.pool.explain({ domain: 'shop.example' }).decidedBy).toBe('override');
  });

  it('lists the kinds of failures for an unknown one', () => {
    const { run } = withPool();
    const kinds = 'connect, tls, auth, protocol, timeout, status, blocked, reset';
    expect(run(['report', 'first', '--fail', 'slow'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(kinds),
    });
    expect(run(['report', '--help']).stdout.replaceAll(/\s+/g, ' ')).toContain('"blocked", "reset"');
    for (const args of [
      ['--status', '99'],
      ['--status', '2xx'],
      ['--retry-after', '30'],
      ['--bytes', 'x'],
      [],
    ])
      expect([args, run(['report', 'first', ...args]).status]).toEqual([args, 2]);
    expect(JSON.parse(run(['report', 'nobody', '--fail', '--json']).stderr)).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
  });
});
