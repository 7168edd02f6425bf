import { spawn } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { type InstalledPackage, installedPackage } from '../support/installed-package.ts';
import { startProxy } from '../support/loopback-proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';

const PASSPHRASE = 'a passphrase of several words';

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A computer of a person: an own home folder, the package installed from its tarball, and a shell. */
class Machine {
  readonly home = temporaryFolder();
  readonly #env: NodeJS.ProcessEnv;

  constructor({ folder, root }: InstalledPackage) {
    symlinkSync(join(folder, 'node_modules'), join(this.home, 'node_modules'));
    mkdirSync(join(this.home, 'bin'));
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      bin: { proxyvault: string };
    };
    writeFileSync(
      join(this.home, 'bin/proxyvault'),
      `#!/bin/sh\nexec '${process.execPath}' '${join(root, bin.proxyvault)}' "$@"\n`,
      { mode: 0o755 },
    );
    const { PROXYVAULT_DB: _, PROXYVAULT_KEY_FILE: __, PROXYVAULT_KEY: ___, ...inherited } = process.env;
    this.#env = {
      ...inherited,
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, '.config'),
      XDG_DATA_HOME: join(this.home, '.local/share'),
      PATH: [join(this.home, 'bin'), dirname(process.execPath), inherited.PATH].join(delimiter),
    };
  }

  path(name: string): string {
    return join(this.home, name);
  }

  /** Runs a line in the shell of the person, whatever its exit code. */
  async try(line: string): Promise<Ran> {
    const child = spawn('bash', ['-c', line], {
      cwd: this.home,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { status: await ended, stdout, stderr };
  }

  /** As `try`, for a line that must succeed. */
  async run(line: string): Promise<string> {
    const { status, stdout, stderr } = await this.try(line);
    expect({ line, status, stderr }).toMatchObject({ line, status: 0 });
    return stdout;
  }

  async json<T = Record<string, unknown>>(line: string): Promise<T> {
    return JSON.parse(await this.run(`${line} --json`)) as T;
  }

  /** Every byte of the person's files, but not of the package. */
  *bytes(folder = this.home): Generator<{ file: string; content: string }> {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const file = join(folder, entry.name);
      if (entry.name === 'node_modules') continue;
      if (entry.isDirectory()) yield* this.bytes(file);
      else yield { file, content: readFileSync(file, 'latin1') };
    }
  }
}

const installed = installedPackage();

it('a person\u2019s first hour, from an empty folder to another machine', { timeout: 120_000 }, async () => {
  const { address, logins } = await startProxy('Hello from the shop.\n');
  const [host = '', port = ''] = address.split(':');
  const laptop = new Machine(installed);

  // A list as a person has it: several forms, a BOM, CRLF, a repeat, a comment, and a line that is nothing.
  writeFileSync(
    laptop.path('messy.txt'),
    [
      '\uFEFF# bought in May',
      `${address}:canary-user:canary%pass@word`,
      'socks5://canary-two:canary%3Apass@gate-two.example:1080 # DE',
      'gate-three.example:3128 | Germany | 120 ms',
      '',
      `http://canary-user:canary%25pass%40word@${address}`,
      'ask Tim about the rest',
    ].join('\r\n'),
  );
  const imported = await laptop.json<{ added: number; refused: { line: number; reason: string }[] }>(
    'proxyvault import messy.txt --tag may',
  );
  expect(imported).toMatchObject({ added: 3, refused: [{ line: 7 }] });
  expect(await laptop.json('proxyvault import messy.txt --tag may')).toMatchObject({ added: 0, updated: 0 });

  // Look.
  const list = await laptop.run('proxyvault list --tag may --sort host');
  expect(list).toContain(address);
  expect(list).not.toContain('canary');
  expect(await laptop.run('proxyvault show gate-two.example:1080')).toContain('socks5');
  expect(await laptop.run('proxyvault stats')).toContain('3');

  // Hand out. Only the first proxy is really there.
  await laptop.run('proxyvault disable gate-two.example:1080 gate-three.example:3128');
  const curl = 'curl --silent --show-error --fail http://www.shop.example/';
  expect(await laptop.run(`proxyvault exec --domain www.shop.example -- ${curl}`)).toBe(
    'Hello from the shop.\n',
  );
  expect(await laptop.run(`proxy=$(proxyvault next --reveal) && ${curl} --proxy "$proxy"`)).toBe(
    'Hello from the shop.\n',
  );
  expect(logins).toEqual(Array(2).fill('canary-user:canary%pass@word'));

  // Report, by the id that `next` prints.
  await laptop.run(
    `id=$(proxyvault next 2>&1 >/dev/null | sed -n 's/^Proxy: \\([^ ]*\\).*/\\1/p') && proxyvault report "$id" --ok --latency 230ms`,
  );
  expect(await laptop.json(`proxyvault show ${address}`)).toMatchObject({
    totalRequests: 2,
    successRate: 100,
  });

  // A rule, and a domain that keeps its proxy.
  await laptop.run(
    `proxyvault rules add '{"name":"not the bank","conditions":[{"field":"domain","operator":"equals","value":"bank.example"}],"actions":[{"type":"block"}]}'`,
  );
  const blocked = await laptop.try(`proxyvault exec --domain bank.example -- ${curl}`);
  expect(blocked.status).not.toBe(0);
  expect(blocked.stderr).toContain('not the bank');
  expect(logins).toHaveLength(2);
  await laptop.run(`proxyvault sticky set '*.shop.example' ${address} --ttl 1h`);
  await laptop.run('proxyvault enable gate-two.example:1080 gate-three.example:3128');
  for (let i = 0; i < 3; i++)
    expect(await laptop.json('proxyvault next --domain www.shop.example')).toMatchObject({
      host,
      port: Number(port),
    });

  // Back up, and keep the recovery code.
  await laptop.run('proxyvault backup pool-backup.db');
  await laptop.run('proxyvault key recovery-code --output code.txt');

  // Lose the key: nothing is made in its place, and the code brings it back.
  const key = laptop.path('.config/proxyvault/key');
  renameSync(key, laptop.path('lost'));
  const lost = await laptop.try(`proxyvault show ${address} --reveal`);
  expect(lost.status).not.toBe(0);
  expect(lost.stderr).toContain('key recover');
  await laptop.run('proxyvault key recover --code-file code.txt');
  expect(await laptop.run(`proxyvault show ${address} --reveal`)).toContain('canary%25pass%40word');

  // Move to another machine with the backup taken after the code was made.
  await laptop.run('proxyvault backup pool-backup.db --force');
  const server = new Machine(installed);
  for (const name of ['pool-backup.db', 'code.txt']) renameSync(laptop.path(name), server.path(name));
  expect(await server.run('proxyvault restore pool-backup.db')).toContain('Key: not found');
  await server.run('proxyvault key recover --code-file code.txt');
  expect(await server.json('proxyvault key verify')).toMatchObject({ failures: [] });

  // Protect the key by a passphrase.
  writeFileSync(server.path('passphrase.txt'), `${PASSPHRASE}\n`, { mode: 0o600 });
  await server.run('proxyvault key passphrase --passphrase-file passphrase.txt');
  const locked = await server.try(`proxyvault show ${address} --reveal`);
  expect(locked.status).not.toBe(0);
  expect(locked.stderr).toContain('passphrase');

  // In a program, by one object.
  writeFileSync(
    server.path('program.mjs'),
    `import { openVault } from 'proxyvault';
    const [path, address] = process.argv.slice(2);
    const vault = await openVault({ path, passphrase: ${JSON.stringify(PASSPHRASE)} });
    const proxy = vault.pool.choose({ domain: 'www.shop.example' });
    console.log(proxy.host + ':' + proxy.port === address, vault.reveal(proxy.id).password);
    await vault.close();`,
  );
  expect(await server.run(`node program.mjs .local/share/proxyvault/proxyvault.db ${address}`)).toBe(
    'true canary%pass@word\n',
  );

  // Export, and the same pool comes back from the list.
  await server.run(
    'proxyvault export --reveal --format json --output all.json --passphrase-file passphrase.txt',
  );
  expect(statSync(server.path('all.json')).mode & 0o777).toBe(0o600);
  await server.run('proxyvault import all.json --db again.db --key-file again.key');
  const exported = 'proxyvault export --reveal --format urls';
  expect(await server.run(`${exported} --db again.db --key-file again.key | sort`)).toBe(
    await server.run(`${exported} --passphrase-file passphrase.txt | sort`),
  );

  // Only the files that a person asked for have a login in clear.
  const clear = [laptop, server].flatMap((machine) =>
    [...machine.bytes()].filter(({ content }) => content.includes('canary')).map(({ file }) => file),
  );
  expect(clear.toSorted()).toEqual([laptop.path('messy.txt'), server.path('all.json')].toSorted());
});
