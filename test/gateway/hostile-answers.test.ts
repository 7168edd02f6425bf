import { describe, expect, it } from 'vitest';
import { get, type Inbound } from './inbound.ts';
import { openGateway, until } from './open-gateway.ts';
import { readRequest, Scripted } from './scripted.ts';

/** A gateway whose only proxy gives one answer to a plain request, and to CONNECT; through its tunnels it gives another one. */
async function answering(answer: string, inTunnel?: string) {
  const proxy = await Scripted.start(async (peer) => {
    for (;;) {
      if ((await readRequest(peer)) === null) return;
      const isTunnel = inTunnel !== undefined;
      peer.write(isTunnel ? 'HTTP/1.1 200 OK\r\n\r\n' : answer);
      if (!isTunnel) continue;
      await readRequest(peer);
      peer.write(inTunnel);
    }
  });
  return openGateway([proxy], { answerMs: 1_000, attempts: 1 });
}

describe('an answer', () => {
  it.each([
    ['http', 'HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nno', 999],
    ['connect', 'HTTP/1.1 999 Request denied\r\nContent-Length: 0\r\n\r\n', 502],
    ['http', 'HTTP/1.1 400 B\x01d\r\nContent-Length: 0\r\n\r\n', 502],
    ['http', 'HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n', 502],
    ['http', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 502],
  ] satisfies [Inbound, string, number][])('to %s: %j ends its lease', async (inbound, answer, status) => {
    const opened = await answering(answer);
    expect((await get(inbound, opened.port, { host: 'shop.example' })).status).toBe(status);
    await until(() => opened.gateway.stats().running === 0);
    expect(opened.vault.pool.stats()).toMatchObject({ leases: 0, ended: { failed: 1 } });
    expect(opened.outcomes()).toEqual({ requests: 1, successes: 0, failures: 1 });
  });

  it.each([
    'HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nno',
    'HTTP/1.1 400 B\x01d\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  ])('to an upgrade: %j ends its lease', async (answer) => {
    const opened = await answering('', answer);
    const { status } = await get('upgrade', opened.port, { host: 'shop.example' });
    expect([999, 502]).toContain(status);
    await until(() => opened.gateway.stats().running === 0);
    expect(opened.vault.pool.stats()).toMatchObject({ leases: 0, ended: { failed: 1 } });
  });

  it('of an upgrade that is large comes whole, and a byte of its header stays a byte', async () => {
    const body = 'x'.repeat(1_000_000);
    const large = await answering(
      '',
      `HTTP/1.1 200 OK\r\nX-Latin: caf\xe9\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const answer = await get('upgrade', large.port, { host: 'shop.example' });
    expect(answer).toMatchObject({ status: 200, isWhole: true });
    expect(answer.body.length).toBe(body.length);
    expect(answer.head).toContain('X-Latin: caf\xe9\r\n');
  });
});
