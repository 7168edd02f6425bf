import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { Command, Option } from 'commander';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextCommand } from '../../src/cli/commands/next.ts';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { rotateCommand } from '../../src/cli/commands/rotate.ts';
import { EARLY_FLAGS } from '../../src/cli/read-arguments.ts';
import { BIN, commandLine } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const NOWHERE = 'http://no-proxy-available.invalid:1\n';

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

describe('next without a proxy', () => {
  it('knows which options take no value', () => {
    const optionsOf = ({ options, commands }: Command): readonly Option[] => [
      ...options,
      ...commands.flatMap(optionsOf),
    ];
    for (const command of [nextCommand(), rotateCommand()]) {
      const flags = optionsOf(command).filter(({ required, optional }) => !required && !optional);
      expect(EARLY_FLAGS).toEqual(new Set(flags.flatMap(({ short, long }) => [short, long]).filter(Boolean)));
    }
  });

  it('prints a URL that never connects, whatever has failed', () => {
    const { run, runProcess, folder, db } = commandLine();
    const fails = (status: number, ...args: string[]): void => {
      const ran = runProcess(args);
      expect([args, ran.status, ran.stdout]).toEqual([args, status, NOWHERE]);
      expect(ran.stderr).not.toBe('');
    };
    fails(1, 'next');
    run(['init']);
    fails(1, 'next', '--domain', 'example.com');
    fails(2, 'next', '--nonsense');
    fails(2, '--nonsense', 'x', 'next');
    fails(1, '--db', db, '-q', 'next');
    fails(1, '--', 'next');
    fails(2, '-q', '--', 'next', '--domain', 'example.com');
    // A domain comes from elsewhere: it must not switch to JSON.
    fails(1, 'next', '--domain', '--json');
    fails(1, 'rotate', '--session', 's');
    fails(2, '-q', 'rotate', '--nonsense');
    run(['import', '-'], { input: 'h.example:1:user:password\n' });
    rmSync(join(folder, 'key'));
    fails(1, 'next', '--reveal');
    const rule = {
      name: 'all',
      conditions: [{ field: 'domain', operator: 'contains', value: '.' }],
      actions: [{ type: 'block' }],
    };
    run(['rules', 'add', JSON.stringify(rule)]);
    fails(1, 'next', '--domain', 'example.com');
    for (const name of ['next', 'rotate'])
      expect(runProcess([name, '--domain', 'example.com', '--json'])).toMatchObject({
        status: 1,
        stdout: '',
      });
    writeFileSync(db, 'hello');
    fails(1, 'next');
  }, 120_000);

  it.skipIf(process.platform === 'win32')(
    'prints it also if a signal ends it while it waits for a lock, with 128 and the number of the signal',
    async () => {
      const { run, env, db } = commandLine();
      run(['import', '-'], { input: 'h.example:1\n' });
      using _ = lock(db);
      const killed = async (signal: NodeJS.Signals, ...args: string[]): Promise<unknown> => {
        const child = spawn(process.execPath, [BIN, 'next', ...args], {
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let stdout = '';
        child.stdout.on('data', (piece) => (stdout += piece));
        await once(child.stderr, 'data');
        child.kill(signal);
        // The lock is held to the end: only the signal can end it.
        return [...((await once(child, 'close')) as unknown[]), stdout];
      };
      expect(await killed('SIGTERM')).toEqual([143, null, NOWHERE]);
      expect(await killed('SIGINT', '--domain', 'example.com')).toEqual([130, null, NOWHERE]);
      expect(await killed('SIGHUP', '--reveal')).toEqual([129, null, NOWHERE]);
      expect(await killed('SIGQUIT')).toEqual([131, null, NOWHERE]);
    },
    60_000,
  );

  it('prints one URL alone if nobody reads standard error', async () => {
    const { run, folder, env } = commandLine();
    run(['import', '-'], { input: 'h.example:1:user:password\n' });
    const child = spawn(process.execPath, [BIN, 'next'], { cwd: folder, env });
    child.stderr.destroy();
    let printed = '';
    child.stdout.on('data', (piece) => {
      printed += String(piece);
    });
    const [status] = await once(child, 'close');
    expect([status, printed]).toEqual([0, 'http://***:***@h.example:1\n']);
  });

  it('prints it also if the program itself is broken', () => {
    const folder = temporaryFolder();
    const built = join(dirname(BIN), '..');
    for (const file of importedBy(BIN)) {
      const copy = join(folder, relative(built, file));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(file, copy);
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const next = spawnSync(process.execPath, [join(folder, 'cli/bin.js'), 'next'], { encoding: 'utf8' });
    expect(next).toMatchObject({ status: 1, stdout: NOWHERE });
  });
});

describe.skipIf(process.platform === 'win32' || !has('curl'))(
  'every example with a client (skipped where curl or a POSIX shell is missing)',
  () => {
    it('of the README, the documents and --help never asks the target directly if the pool is empty, or proxyvault is killed', async () => {
      const [documents, help] = [examplesOfDocuments(), examplesOfHelp()];
      expect([documents.length >= 4, help.length >= 2]).toEqual([true, true]);
      const unsafe = 'curl --proxy "$(proxyvault next)" https://example.com/';
      const examples = new Set([...documents, ...help, unsafe]);
      const { env, run, folder, db } = commandLine();
      run(['init']);
      const target = await record();
      const shim = join(folder, 'proxyvault');
      const pid = join(folder, 'pid');
      writeFileSync(shim, `#!/bin/sh\necho $$ >'${pid}'\nexec "${process.execPath}" "${BIN}" "$@"\n`);
      chmodSync(shim, 0o755);
      // Whatever name is asked for, it is here.
      const settings = [
        `connect-to = "::127.0.0.1:${target.port}"`,
        'resolve = "no-proxy-available.invalid:1:127.0.0.1"',
        'max-time = 20',
      ];
      writeFileSync(join(folder, '.curlrc'), settings.join('\n'));
      const { http_proxy: _, https_proxy: __, all_proxy: ___, HTTPS_PROXY: ____, ...rest } = env;
      const shell = async (line: string, { kill = false } = {}): Promise<number | null> => {
        const child = spawn('sh', ['-c', line], {
          cwd: folder,
          stdio: ['ignore', 'ignore', 'pipe'],
          env: { ...rest, CURL_HOME: folder, PATH: `${folder}:${env.PATH ?? ''}` },
        });
        let isKilled = false;
        // Then it is about to wait for the lock.
        if (kill)
          child.stderr.once('data', () => {
            isKilled = process.kill(Number(readFileSync(pid, 'utf8')), 'SIGTERM');
          });
        child.stderr.resume();
        const [code] = await once(child, 'close');
        expect([line, isKilled]).toEqual([line, kill]);
        return code as number | null;
      };
      await shell('curl https://example.com/');
      expect(target.requests()).toBe(1);
      for (const example of examples) {
        expect([example, await shell(example)]).not.toEqual([example, 0]);
        expect([example, target.requests()]).toEqual([example, 1]);
      }
      const proxy = await record();
      run(['add', `http://127.0.0.1:${proxy.port}`]);
      const held = lock(db);
      for (const example of [...examples].filter((line) => line.includes('proxyvault'))) {
        expect([example, await shell(example, { kill: true })]).not.toEqual([example, 0]);
        expect([example, target.requests(), proxy.requests()]).toEqual([example, 1, 0]);
      }
      held[Symbol.dispose]();
      await shell('proxyvault exec -- curl https://example.com/');
      expect([proxy.requests(), target.requests()]).toEqual([1, 1]);
    }, 120_000);
  },
);

/** Holds the write lock of a pool until it is disposed. */
function lock(path: string): Disposable {
  const db = new Database(path);
  db.exec('BEGIN IMMEDIATE');
  return { [Symbol.dispose]: () => void db.close() };
}

/** Lines of the documents that use a proxy for a target. */
function examplesOfDocuments(): string[] {
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))];
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
    const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
    return clients([...blocks.join('\n').split('\n'), ...spans]);
  });
}

function examplesOfHelp(): string[] {
  let text = '';
  const help = (command: Command): void => {
    command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
    command.commands.forEach(help);
  };
  for (const create of COMMANDS) help(create());
  return clients(text.split('\n'));
}

function clients(lines: readonly string[]): string[] {
  return lines
    .map((line) => line.trim().replace(/^\$ /, ''))
    .filter((line) => /\b(?:curl|wget|proxyvault (?:next|exec))\b.*https?:\/\/(?!no-proxy)/.test(line));
}

/** A server that counts who connects to it. */
async function record(): Promise<{ port: number; requests: () => number }> {
  let requests = 0;
  const server = createServer((socket) => {
    requests++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, requests: () => requests };
}

/** A built file, and what it imports before it runs. */
function importedBy(file: string): string[] {
  const imports = readFileSync(file, 'utf8').matchAll(/^import .*?["'](\.[^"']+)["'];$/gm);
  return [file, ...[...imports].flatMap(([, path = '']) => importedBy(resolve(dirname(file), path)))];
}
