import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';

const HAS_CURL = spawnSync('curl', ['--version']).status === 0;

/** A SOCKS proxy on loopback that answers each request itself, and remembers what it was asked for. */
async function socksProxy(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((socket) => {
    let state: 'greeting' | 'request' | 'http' = 'greeting';
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      if (state === 'http') {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
      } else if (data[0] === 4) {
        state = 'http';
        asked.push(socks4Target(data));
        socket.write(Buffer.from([0, 90, 0, 0, 0, 0, 0, 0]));
      } else if (state === 'greeting') {
        state = 'request';
        socket.write(Buffer.from([5, 0]));
      } else {
        state = 'http';
        asked.push(socks5Target(data));
        socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

/** RFC 1928, section 4: the address type is 3 for a name. */
function socks5Target(data: Buffer): string {
  return data[3] === 3 ? `name ${data.subarray(5, 5 + (data[4] ?? 0)).toString()}` : 'address';
}

/** SOCKS 4A: an address of 0.0.0.x says that a name comes after the user id. */
function socks4Target(data: Buffer): string {
  const isName = data.subarray(4, 7).equals(Buffer.alloc(3));
  const [, name = ''] = data.subarray(8).toString('latin1').split('\0');
  return isName ? `name ${name}` : 'address';
}

describe.skipIf(!HAS_CURL)('curl behind a SOCKS proxy', () => {
  it.each([
    ['socks5', [], 'target.invalid', 'name target.invalid'],
    ['socks5h', [], 'target.invalid', 'name target.invalid'],
    ['socks4', [], 'target.invalid', 'name target.invalid'],
    ['socks4a', [], 'target.invalid', 'name target.invalid'],
    ['socks5', ['--local-dns'], 'localhost', 'address'],
    ['socks4', ['--local-dns'], 'localhost', 'address'],
  ])(
    '%s %j: has the proxy resolve names, unless that was ruled out',
    async (scheme, flags, host, target) => {
      const { port, asked } = await socksProxy();
      const { run, folder, env } = commandLine();
      expect(run(['add', `${scheme}://127.0.0.1:${port}`, ...flags]).status).toBe(0);
      const url = run(['next', '--reveal']).stdout.trim();
      const curl = ['--silent', '--show-error', '--ipv4', '--max-time', '20'];
      const commands = [
        [process.execPath, BIN, 'exec', '--', 'curl', ...curl, `http://${host}/`],
        [process.execPath, BIN, 'exec', '--', 'curl', ...curl, '--proxy', '{proxy}', `http://${host}/`],
        ['curl', ...curl, '--proxy', url, `http://${host}/`],
      ];
      for (const [command = '', ...args] of commands) {
        const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
        let stdout = '';
        child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
        await once(child, 'close');
        expect(stdout).toBe('ok');
      }
      expect(asked).toEqual([target, target, target]);
    },
    120_000,
  );
});

describe('who resolves names', () => {
  it('is part of every URL that is printed, and changes only by name', () => {
    const { run, json } = commandLine();
    run(['import', '-'], { input: 'socks5://h.example:1\nsocks4a://h.example:2\nhttp://h.example:3\n' });
    run(['import', '-', '--local-dns'], {
      input: 'socks5://h.example:4\nsocks5h://h.example:5\nh.example:6\n',
    });
    const urls = [
      'socks5h://h.example:1',
      'socks4a://h.example:2',
      'http://h.example:3',
      'socks5://h.example:4',
      'socks5h://h.example:5',
      'http://h.example:6',
    ];
    const { items } = json<{ items: { id: string; url: string; remoteDns: boolean }[] }>('list');
    expect(items.map(({ url }) => url)).toEqual(urls);
    expect(items.map(({ remoteDns }) => remoteDns)).toEqual([true, true, true, false, true, true]);
    for (const { id, url } of items) expect(json('show', id)).toMatchObject({ url });
    for (const url of urls) expect(run(['next']).stdout).toBe(`${url}\n`);
    const exported = run(['export']);
    expect(exported).toMatchObject({ status: 0, stdout: `${urls.join('\n')}\n` });
    expect(exported.stderr).toMatch(
      /^Warning: urls cannot carry all of 1 .*\(PARTS_LEFT_OUT\)\n {2}.*: the list does not say that its clients resolve names$/m,
    );
    const layout = run(['export', '--format', 'template', '--layout', 'socks5://{host}:{port}']);
    expect(layout.stdout).toBe('socks5://h.example:1\nsocks5://h.example:4\nsocks5://h.example:5\n');
    expect(layout.stderr.match(/the list does not say that the proxy resolves names/g)).toHaveLength(2);
    for (const format of ['csv', 'json']) {
      const other = commandLine();
      const records = run(['export', '--format', format]);
      expect(records.stderr).not.toContain('LEFT_OUT');
      expect(other.run(['import', '-'], { input: records.stdout }).stdout).toContain('6 added');
      expect(other.run(['export']).stdout).toBe(`${urls.join('\n')}\n`);
    }
    // What is read back from URLs leaks nothing: the proxy resolves names from then on.
    const other = commandLine();
    other.run(['import', '-'], { input: exported.stdout });
    expect(other.run(['export']).stdout).toBe(`${urls.join('\n').replace('socks5://', 'socks5h://')}\n`);
  });

  it('of a known proxy changes only if the import names it', () => {
    const { run, json } = commandLine();
    const url = (): unknown => json<{ items: { url: string }[] }>('list').items.map((item) => item.url);
    const add = (line: string, ...flags: string[]): string =>
      run(['import', '-', ...flags], { input: line }).stdout;
    expect(add('socks5://h.example:1\n', '--local-dns')).toContain('1 added');
    expect(add('socks5://h.example:1\n')).toContain('1 unchanged');
    expect(url()).toEqual(['socks5://h.example:1']);
    expect(add('socks5h://h.example:1\n')).toContain('1 updated');
    expect(url()).toEqual(['socks5h://h.example:1']);
    expect(add('[{"host":"h.example","port":1,"protocol":"socks5","remoteDns":false}]')).toContain(
      '1 updated',
    );
    expect(url()).toEqual(['socks5://h.example:1']);
  });

  it.each([
    [['add', 'http://h.example:1', '--local-dns'], /socks4 and socks5 alone/],
    [['add', 'socks5h://h.example:1', '--local-dns'], /leave one of them out/],
  ])('%j is rejected with the reason', (args, reason) => {
    const { run } = commandLine();
    expect(run(args)).toMatchObject({ status: 1, stderr: expect.stringMatching(reason) });
  });

  it('a record that contradicts itself is rejected, and the others are read', () => {
    const { run } = commandLine();
    const input = JSON.stringify([
      { host: 'h.example', port: 1, protocol: 'http', remoteDns: false },
      { host: 'h.example', port: 2, protocol: 'socks5h', remoteDns: false },
      { url: 'socks5h://h.example:3', remoteDns: false },
      { host: 'h.example', port: 4, protocol: 'socks5', remoteDns: 'maybe' },
      { host: 'h.example', port: 5, protocol: 'http', remoteDns: true },
      { host: 'h.example', port: 6, protocol: 'socks5', remoteDns: 'false' },
    ]);
    const result = JSON.parse(run(['import', '-', '--json'], { input }).stdout) as { refused: object[] };
    expect(result).toMatchObject({ added: 2, updated: 0, unchanged: 0 });
    expect(result.refused).toHaveLength(4);
    expect(run(['export']).stdout).toBe('http://h.example:5\nsocks5://h.example:6\n');
  });
});
