import { describe, expect, it } from 'vitest';
import { expectNothingLeft, openGateway } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { readRequest, Scripted } from './scripted.ts';

const UPGRADE =
  'GET http://chat.example/x?y HTTP/1.1\r\nHost: chat.example\r\nConnection: keep-alive, Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: websocket\r\n\r\n';

/** An HTTP proxy that opens a tunnel, in which a target does what a script says. */
async function target(script: (peer: RawClient, head: string) => unknown) {
  const proxy = await Scripted.start(async (peer) => {
    await readRequest(peer);
    peer.write('HTTP/1.1 200 OK\r\n\r\n');
    await script(peer, (await readRequest(peer))?.head ?? '');
  });
  return { proxy, ...(await openGateway([proxy], { attempts: 1, idleMs: 300 })) };
}

async function ask(port: number, more = ''): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.write(UPGRADE + more);
  return client;
}

describe('an upgrade', () => {
  it('passes bytes both ways once the target has agreed, and none before', async () => {
    let early = '';
    let request = '';
    const opened = await target(async (peer, head) => {
      request = head;
      early = peer.received;
      peer.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Own: 1\r\n\r\nhello');
      expect(await peer.until('after')).toBe('before,after');
      peer.write('bye');
      peer.socket.end();
    });
    const client = await ask(opened.port, 'before,');
    const head = await client.until('\r\n\r\n');
    expect(head).toMatch(
      /^HTTP\/1\.1 101 .*\r\nX-Own: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/,
    );
    expect(await client.take(5)).toBe('hello');
    client.write('after');
    expect(await client.rest()).toBe('bye');
    client.socket.end();
    expect(early).toBe('');
    expect(request).toBe(
      'GET /x?y HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await expectNothingLeft(opened, 1);
    expect(opened.outcomes()).toMatchObject({ successes: 1, failures: 0 });
  });

  it('that the target has agreed to is a success, whatever follows', async () => {
    const opened = await target((peer) => peer.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n'));
    const client = await ask(opened.port);
    await client.until('\r\n\r\n');
    client.socket.resetAndDestroy();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]?.outcome).toBe('ok');
    expect(opened.outcomes()).toMatchObject({ successes: 1 });
  });

  it.each([
    ['an ordinary answer', 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno', 403, 'ok', 1],
    ['one that is cut off', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno', 200, 'failed', 1],
    ['one of 407', 'HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n', 502, 'failed', 1],
    ['none', '', 502, 'failed', 1],
  ] as const)('may get %s', async (_, answer, status, outcome, failures) => {
    const opened = await target((peer) => {
      peer.write(answer);
      peer.socket.end();
    });
    const client = await ask(opened.port);
    expect((await client.until('\r\n\r\n')).slice(9, 12)).toBe(String(status));
    await client.rest();
    client.socket.end();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]?.outcome).toBe(outcome);
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 0, failures });
  });

  it('that is refused ends its connection, also if the client does not close it', async () => {
    const opened = await target((peer) => {
      peer.write('HTTP/1.1 426 No\r\nContent-Length: 2\r\n\r\nno');
      peer.socket.end();
    });
    const client = await ask(opened.port);
    expect(await client.rest()).toMatch(/no$/);
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]?.outcome).toBe('ok');
  });

  it('whose answer the client does not read is no failure of the proxy', async () => {
    const opened = await target((peer) => {
      peer.write('HTTP/1.1 200 OK\r\n\r\n');
      for (let n = 0; n < 400; n++) peer.write('x'.repeat(65_536));
    });
    const client = await ask(opened.port);
    client.socket.pause();
    await expectNothingLeft(opened, 1);
    expect(opened.log[0]?.outcome).toBe('aborted');
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 1, failures: 0 });
  });

  it('whose answer does not end is closed when nothing comes for too long, and when its client leaves', async () => {
    const opened = await target((peer) => peer.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno'));
    const idle = await ask(opened.port);
    await idle.rest();
    idle.socket.end();
    await expectNothingLeft(opened, 1);
    const leaving = await ask(opened.port);
    await leaving.until('no');
    leaving.socket.resetAndDestroy();
    await expectNothingLeft(opened, 2);
    expect(opened.log.map(({ outcome }) => outcome)).toEqual(['failed', 'aborted']);
  });
});
