import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { TEST_CERTIFICATE, TEST_KEY } from '../../src/cli/commands/tour/loopback/certificate.ts';
import { temporaryFolder } from '../support/temporary.ts';
import type { InPool } from './open-gateway.ts';

// Debian keeps servers where only root looks.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const LOGIN = { username: 'name', password: 'p:s@%ü' };
/** A server that can have no such login. */
const PLAIN_LOGIN = { username: 'name', password: 'secret' };

/** Whether a program is installed. */
function has(program: string): boolean {
  return (
    process.platform === 'linux' && spawnSync('sh', ['-c', `command -v ${program}`], { env }).status === 0
  );
}

/** What follows a title if a program is missing: the test is skipped. */
export function ifInstalled(...programs: string[]): { skip: boolean; word: string } {
  const missing = programs.filter((program) => !has(program));
  return {
    skip: missing.length > 0,
    word: missing.length > 0 ? ` (skipped: no ${missing.join(', no ')})` : '',
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

/** Runs a server with all its processes until the test ends; resolves when it takes connections. */
async function run(program: string, args: readonly string[], port: number): Promise<void> {
  const child: ChildProcess = spawn(program, args, {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes) => {
      said += bytes;
    });
  let isOver = false;
  child.once('exit', () => {
    isOver = true;
  });
  onTestFinished(() => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  const end = performance.now() + 20_000;
  while (!(await opens(port))) {
    if (isOver || performance.now() > end) throw new Error(`${program} did not start: ${said.slice(-2000)}`);
    await turn();
  }
}

function opens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function files(contents: Record<string, string>): string {
  const folder = temporaryFolder('/tmp');
  chmodSync(folder, 0o755);
  for (const [name, text] of Object.entries(contents)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

async function tinyproxy(login?: typeof PLAIN_LOGIN): Promise<InPool> {
  const port = await freePort();
  const auth = login === undefined ? '' : `BasicAuth ${login.username} ${login.password}\n`;
  const folder = files({
    'tinyproxy.conf': `Port ${port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nMaxClients 60\nLogLevel Critical\n${auth}`,
  });
  await run('tinyproxy', ['-d', '-c', join(folder, 'tinyproxy.conf')], port);
  return { kind: 'http', host: '127.0.0.1', port, login: login ?? null };
}

async function squid(kind: 'http' | 'https', hasLogin: boolean): Promise<InPool> {
  const port = await freePort();
  const folder = files({
    'cert.pem': TEST_CERTIFICATE + TEST_KEY,
    check:
      '#!/bin/sh\nwhile read -r name password; do [ "$name $password" = "name p:s@%25%C3%BC" ] && echo OK || echo ERR; done\n',
    'squid.conf': '',
  });
  const listen =
    kind === 'http'
      ? `http_port 127.0.0.1:${port}`
      : `https_port 127.0.0.1:${port} tls-cert=${folder}/cert.pem`;
  const auth = hasLogin
    ? `auth_param basic program ${folder}/check\nauth_param basic utf8 on\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all`
    : 'http_access allow all';
  writeFileSync(
    join(folder, 'squid.conf'),
    `${listen}\n${auth}\ncache deny all\npid_filename none\naccess_log none\ncache_log /dev/null\nshutdown_lifetime 0 seconds\npinger_enable off\nvisible_hostname test.example\n`,
  );
  await run('squid', ['-N', '-f', join(folder, 'squid.conf')], port);
  return { kind, host: '127.0.0.1', port, login: hasLogin ? LOGIN : null };
}

async function microsocks(hasLogin: boolean): Promise<InPool> {
  const port = await freePort();
  const auth = hasLogin ? ['-u', LOGIN.username, '-P', LOGIN.password] : [];
  await run('microsocks', ['-i', '127.0.0.1', '-p', String(port), ...auth], port);
  return { kind: 'socks5', host: '127.0.0.1', port, login: hasLogin ? LOGIN : null };
}

async function danted(kind: 'socks4' | 'socks5'): Promise<InPool> {
  const port = await freePort();
  const folder = files({
    'danted.conf': `logoutput: stderr\ninternal: 127.0.0.1 port = ${port}\nexternal.protocol: ipv4 ipv6\nexternal: lo\nclientmethod: none\nsocksmethod: none\nuser.privileged: root\nuser.unprivileged: nobody\nclient pass { from: 0/0 to: 0/0 }\nsocks pass { from: 0/0 to: 0/0 protocol: tcp }\n`,
  });
  await run('danted', ['-f', join(folder, 'danted.conf')], port);
  return { kind, host: '127.0.0.1', port, login: null };
}

/** The servers of Debian that tests send requests through. */
export const PEERS: readonly { name: string; program: string; start: () => Promise<InPool> }[] = [
  { name: 'tinyproxy', program: 'tinyproxy', start: () => tinyproxy() },
  { name: 'tinyproxy with a login', program: 'tinyproxy', start: () => tinyproxy(PLAIN_LOGIN) },
  { name: 'squid', program: 'squid', start: () => squid('http', false) },
  { name: 'squid with TLS and a login', program: 'squid', start: () => squid('https', true) },
  { name: 'microsocks', program: 'microsocks', start: () => microsocks(false) },
  { name: 'microsocks with a login', program: 'microsocks', start: () => microsocks(true) },
  { name: 'dante, SOCKS5', program: 'danted', start: () => danted('socks5') },
  { name: 'dante, SOCKS4', program: 'danted', start: () => danted('socks4') },
];
