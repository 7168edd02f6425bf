import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { proxyEnvironment } from '../../src/cli/proxy-environment.ts';
import { BIN, commandLine } from '../support/command-line.ts';

const NODE = process.execPath;

function withProxy(list = 'socks5://user:p%40ss@gate.example:1080\n'): ReturnType<typeof commandLine> {
  const cli = commandLine();
  cli.run(['import', '-'], { input: list });
  return cli;
}

const counts = ({ json }: ReturnType<typeof commandLine>): unknown => {
  const { items } = json<{ items: { totalRequests: number; failureCount: number }[] }>('list');
  return items.map(({ totalRequests, failureCount }) => [totalRequests, failureCount]);
};

describe('exec', () => {
  it('gives the command the proxy in variables and in {proxy}, and no way around it', () => {
    const cli = withProxy();
    const env = { NO_PROXY: '*', no_proxy: 'example.com', HTTPS_PROXY: 'http://other.example:1' };
    // No Node: it stops at its start if the proxy is SOCKS.
    const command = ['sh', '-c', 'env; echo "arg=$1 $2"', 'sh', 'a{proxy}b', '--json'];
    const { status, stdout, stderr } = cli.run(['exec', '--', ...command], { env });
    const url = 'socks5h://user:p%40ss@gate.example:1080';
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('list processes'),
    });
    for (const name of ['http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])
      expect(stdout).toContain(`\n${name}=${url}\n`);
    expect(stdout).not.toMatch(/^no_proxy=/im);
    expect(stdout).toContain(`arg=a${url}b --json\n`);
    expect(counts(cli)).toEqual([[1, 0]]);
    expect(proxyEnvironment('http://h:1', { inherited: {} })).toEqual({
      ...Object.fromEntries(
        ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy']
          .flatMap((name) => [name, name.toUpperCase()])
          .map((name) => [name, 'http://h:1']),
      ),
      NODE_USE_ENV_PROXY: '1',
    });
    expect(
      proxyEnvironment('http://h:1', { inherited: { NO_PROXY: 'x', Http_Proxy: 'y' }, keepNoProxy: true }),
    ).toEqual({
      NO_PROXY: 'x',
      ...proxyEnvironment('http://h:1', { inherited: {} }),
    });
  }, 120_000);

  it('keeps from the command what leads to the key, and every way around the proxy in any case', () => {
    const { run, folder } = commandLine();
    const key = { PROXYVAULT_KEY: '0123456789abcdef'.repeat(4) };
    run(['import', '-'], { input: 'http://user:pass@gate.example:1080\n', env: key });
    const secrets = {
      ...key,
      PROXYVAULT_PASSPHRASE_FILE: join(folder, 'secret'),
      PROXYVAULT_TRUST_KEY_FILE: '1',
      PROXYVAULT_SOMETHING_NEW: 'secret',
    };
    const direct = [
      'NO_PROXY',
      'No_Proxy',
      'npm_config_noproxy',
      'NPM_CONFIG_NOPROXY',
      'npm_config_no_proxy',
      'npm_config_no-proxy',
      'GLOBAL_AGENT_NO_PROXY',
    ];
    const others = [
      'npm_config_proxy',
      'NPM_CONFIG_HTTPS_PROXY',
      'YARN_HTTP_PROXY',
      'PIP_PROXY',
      'WSS_PROXY',
    ];
    const all = Object.fromEntries([...direct, ...others].map((name) => [name, 'x']));
    const kept = { PATH_TO_PROXY: 'x', REVERSEPROXY: 'x', CASINO_PROXYVAULT: 'x' };
    const printed = (...options: string[]): string[] =>
      run(['exec', ...options, '--', 'env'], { env: { ...secrets, ...all, ...kept } })
        .stdout.split('\n')
        .map((line) => line.slice(0, line.indexOf('=')));
    const names = printed();
    expect(names).toEqual(expect.arrayContaining(['PROXYVAULT_DB', ...Object.keys(kept)]));
    const gone = ['PROXYVAULT_KEY_FILE', ...Object.keys(secrets), ...Object.keys(all)];
    expect(gone.filter((name) => names.includes(name))).toEqual([]);
    expect(
      printed('--keep-no-proxy')
        .filter((name) => gone.includes(name))
        .sort(),
    ).toEqual(direct.sort());
  }, 60_000);

  it('does not start without a proxy: 125, as for all that fails before', () => {
    const { run, folder } = commandLine();
    const command = ['--', 'sh', '-c', 'touch started'];
    expect(run(['exec', ...command])).toMatchObject({ status: 125, stdout: '' });
    run(['init']);
    expect(run(['exec', ...command]).stderr).toContain('NO_PROXY');
    expect(run(['exec', '--nonsense', ...command]).status).toBe(125);
    expect(run(['exec', '--json']).status).toBe(125);
    // This --json is the command's own, whatever stands before it.
    for (const own of [[], ['--domain', 'example.com'], ['--reveal'], ['--']])
      expect(run(['exec', ...own, 'curl', '--json', '{}']).stderr).toMatch(/^proxyvault: |^error: /m);
    const empty = run(['exec', '--json', '--', '', 'x']);
    expect(empty.status).toBe(125);
    expect(JSON.parse(empty.stderr)).toMatchObject({
      error: { code: 'USAGE', message: expect.stringContaining('The command to run is missing') },
    });
    run(['import', '-'], { input: 'h.example:1:u:p\n' });
    const lost = run(['exec', '--json', ...command], { env: { PROXYVAULT_KEY: 'ab'.repeat(32) } });
    expect(lost.status).toBe(125);
    expect(JSON.parse(lost.stderr)).toMatchObject({ error: { code: 'KEY_MISMATCH' } });
    expect(run(['exec', '--', 'ls', folder]).stdout).not.toContain('started');
  }, 120_000);

  it('ends with the code of the command, and reports it', () => {
    const cli = withProxy('h.example:1\n');
    const codeOf = (...args: string[]): number | null => cli.run(['exec', ...args]).status;
    expect(codeOf('--', 'sh', '-c', 'exit 3')).toBe(3);
    expect(codeOf('--no-report', '--', 'sh', '-c', 'exit 3')).toBe(3);
    expect(counts(cli)).toEqual([[1, 1]]);
    expect(codeOf('--ok-exit', '22,56', '--', 'sh', '-c', 'exit 22')).toBe(22);
    expect(codeOf('--ok-exit', 'x', '--', 'true')).toBe(125);
    expect(codeOf('--', 'no-such-command')).toBe(127);
    expect(codeOf('--', cli.folder)).toBe(126);
    expect(codeOf('sh', '-c', 'kill -KILL $$')).toBe(128 + 9);
    expect(counts(cli)).toEqual([[2, 0]]);
  }, 120_000);

  it.skipIf(!existsSync('/dev/full'))(
    'ends with the code of the command also if nothing can be said on standard error (skipped without /dev/full)',
    () => {
      const { env, folder } = withProxy('h.example:1\n');
      const stderr = openSync('/dev/full', 'w');
      const ran = spawnSync(NODE, [BIN, 'exec', '--', 'sh', '-c', 'echo done; exit 3'], {
        cwd: folder,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', stderr],
      });
      closeSync(stderr);
      expect(ran).toMatchObject({ status: 3, stdout: 'done\n' });
    },
  );

  it('passes signals on, and says of an interruption nothing bad of the proxy', async () => {
    const cli = withProxy('h.example:1\n');
    const script =
      'process.on("SIGTERM", () => process.exit(7)); console.log("ready"); setInterval(() => {}, 1000)';
    const ended = async (signal: NodeJS.Signals, code: string): Promise<number | null> => {
      const child = spawn(NODE, [BIN, 'exec', '--', NODE, '-e', code], {
        env: cli.env,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(child.stdout, 'data');
      child.kill(signal);
      const [exit] = await once(child, 'close');
      return exit as number | null;
    };
    expect(await ended('SIGTERM', script)).toBe(7);
    expect(await ended('SIGINT', script)).toBe(128 + 2);
    expect(counts(cli)).toEqual([[1, 1]]);
  }, 120_000);
});
