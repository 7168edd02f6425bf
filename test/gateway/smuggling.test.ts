/**
 * Whatever bytes a client sends through the whole gateway: what leaves is requests that each program reads alike, and each of them was
 * asked for, checked and logged by the gateway.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { openGateway, until } from './open-gateway.ts';
import { RawClient } from './raw-client.ts';
import { answering, ok, type RawRequest, Scripted } from './scripted.ts';

const LINE = 'POST http://a.example/ HTTP/1.1\r\n';
const HOST = 'Host: a.example\r\n';
const SMUGGLED = 'GET http://b.example/smuggled HTTP/1.1\r\nHost: b.example\r\n\r\n';
/** As chunks, it is over at once, and a second request follows; with a length, that is a part of the body. */
const BODY = `0\r\n\r\n${SMUGGLED}`;

/** A request that leaves, read as strictly as can be. */
function expectClear({ head, body }: RawRequest, isHttp: boolean): void {
  const lines = head.split('\r\n');
  expect(lines.slice(-2)).toEqual(['', '']);
  const form = isHttp ? 'http://[ab]\\.example(?::80)?/[!-~]*' : '/[!-~]*';
  expect(lines[0]).toMatch(new RegExp(`^(?:GET|POST|OPTIONS) ${form} HTTP/1\\.1$`, 'i'));
  const headers = lines.slice(1, -2);
  for (const line of headers) expect(line).toMatch(/^[!#$%&'*+.^_`|~\w-]+: ?[\t -~\x80-\xff]*$/);
  const named = (name: RegExp): string[] => headers.filter((line) => name.test(line));
  expect(named(/^host:/i)).toHaveLength(1);
  const lengths = named(/^[\W_]*content.?length/i);
  const codings = named(/^[\W_]*transfer.?encoding/i);
  expect(lengths.length + codings.length).toBeLessThanOrEqual(1);
  for (const line of lengths) expect(line).toBe(`${line.split(':')[0]}: ${body.length}`);
  for (const line of codings) expect(line).toBe('Transfer-Encoding: chunked');
  expect(named(/^(?:proxy-(?!authorization)|te:|trailer:|upgrade:|keep-alive:|x-proxyvault)/i)).toEqual([]);
}

/** A gateway, and all that leaves it: through an HTTP proxy, or through a tunnel. */
async function recording(kind: 'http' | 'socks5') {
  const left: RawRequest[] = [];
  const end = await Scripted.start(
    answering((request) => {
      left.push(request);
      return ok('done');
    }),
  );
  const through = async () => {
    const resolve = () => ({ host: '127.0.0.1', port: end.port });
    const upstream = await UpstreamServer.start({ kind: 'socks5', resolve });
    onTestFinished(() => upstream.close());
    return upstream;
  };
  const options = { headerMs: 200, answerMs: 1000, attempts: 1 };
  const opened = await openGateway([kind === 'http' ? end : await through()], options);
  /** Sends bytes, and gives the first status; 0 if the connection was closed without one. */
  const send = async (bytes: string): Promise<number> => {
    const client = await RawClient.connect(opened.port);
    client.write(bytes);
    const { status } = await client.answer();
    // What came with it is read in the same turn; what it makes leave takes a few.
    for (let turns = 0; turns < 20 && !client.isClosed; turns++) await turn();
    client.socket.destroy();
    return Number.isNaN(status) ? 0 : status;
  };
  /** Expects that each request that left is clear, and was served for somebody who asked for it. */
  const check = async (): Promise<void> => {
    await until(() => opened.gateway.stats().connections === 0);
    for (const request of left) expectClear(request, kind === 'http');
    const served = opened.log.filter(({ proxy, tried = [] }) => proxy !== undefined || tried.length > 0);
    const aborted = opened.log.filter(({ outcome }) => outcome === 'aborted');
    expect(left.length).toBeLessThanOrEqual(served.length + aborted.length);
    for (const { target } of served) expect(['a.example:80', 'b.example:80']).toContain(target);
  };
  return { ...opened, left, send, check };
}

const ATTACKS: readonly [name: string, bytes: string, statuses: readonly number[], leaves?: number][] = [
  ['CL and TE', `${LINE}${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${BODY}`, [400]],
  ['TE and CL', `${LINE}${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${BODY}`, [400]],
  ['two CL', `${LINE}${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, [400]],
  ['the same CL twice', `${LINE}${HOST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, [400]],
  ['a list of CL', `${LINE}${HOST}Content-Length: 5, 5\r\n\r\nhello`, [400]],
  ['CL with a sign', `${LINE}${HOST}Content-Length: +5\r\n\r\nhello`, [400]],
  ['CL in hex', `${LINE}${HOST}Content-Length: 0x5\r\n\r\nhello`, [400]],
  ['CL with a leading zero', `${LINE}${HOST}Content-Length: 05\r\n\r\nhello`, [400]],
  ['CL in another spelling', `${LINE}${HOST}Content_Length: 5\r\n\r\n${SMUGGLED}`, [200, 400]],
  ['TE in another spelling', `${LINE}${HOST}Transfer_Encoding: chunked\r\n\r\n${BODY}`, [200, 400]],
  ['obs-fold', `${LINE}${HOST}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`, [400]],
  ['obs-fold of TE', `${LINE}${HOST}Transfer-Encoding:\r\n chunked\r\n\r\n${BODY}`, [400]],
  ['bare LF', `${LINE}${HOST}A: b\nContent-Length: 5\r\n\r\nhello`, [400]],
  ['bare LFs alone', `${LINE}${HOST}\r\n`.replaceAll('\r', ''), [400]],
  ['a bare CR', `${LINE}${HOST}A: b\rContent-Length: 5\r\n\r\nhello`, [400]],
  ['a space before the colon', `${LINE}${HOST}Transfer-Encoding : chunked\r\n\r\n${BODY}`, [400]],
  ['a space before the colon of Host', `${LINE}Host : a.example\r\n\r\n`, [400]],
  ['NUL', `${LINE}${HOST}A: b\0\r\n\r\n`, [400]],
  ['two Hosts', `${LINE}${HOST}Host: b.example\r\n\r\n`, [400]],
  ['another Host', `${LINE}Host: b.example\r\n\r\n`, [400]],
  ['a Host with another port', `${LINE}Host: a.example:81\r\n\r\n`, [400]],
  ['a Host that is taken away by Connection', `${LINE}${HOST}Connection: Host\r\n\r\n`, [200], 1],
  [
    'a length that is taken away by Connection',
    `${LINE}${HOST}Connection: Content-Length\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    [200],
    1,
  ],
  ['a path alone', 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['an https URL', 'GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a login in the URL', 'GET http://u:p@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a fragment in the URL', 'GET http://a.example/#b HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a backslash in the URL', 'GET http://a.example\\@b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a space in the URL', 'GET http://a.example/ b HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a URL without a host', 'GET http:/// HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a URL with a bad port', 'GET http://a.example:99999/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['a URL in capitals', 'GET HTTP://A.EXAMPLE/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [200], 1],
  ['a URL without a path', 'GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n', [200], 1],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['HTTP/0.9', 'GET http://a.example/\r\n\r\n', [400, 0]],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 0]],
  [
    'a body that follows a GET without a length',
    `GET http://a.example/ HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`,
    [200],
    2,
  ],
  ['two requests at once', `GET http://a.example/ HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`, [200], 2],
  [
    'a second request in a body',
    `${LINE}${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    [200],
    1,
  ],
  [
    'a second request in an extension of a chunk',
    `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\n1;${SMUGGLED.replaceAll('\r\n', ' ')}\r\na\r\n0\r\n\r\n`,
    [400, 0],
  ],
  ['a bare LF in a chunk', `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n`, [400, 0, 502]],
  [
    'a size of a chunk that is too large',
    `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n`,
    [400, 0, 502],
  ],
  [
    'a trailer with a second Host',
    `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b.example\r\nContent-Length: 9\r\n\r\n`,
    [400, 0],
  ],
  [
    'an upgrade with a request after it',
    `GET http://a.example/ HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n${SMUGGLED}`,
    [200, 502, 400],
  ],
  [
    'CONNECT with a length',
    `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 5\r\n\r\nhello`,
    [400],
  ],
  ['CONNECT of a URL', 'CONNECT http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['CONNECT without a port', 'CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
  ['CONNECT with an injected header', 'CONNECT a.example:443\x0b HTTP/1.1\r\nHost: a.example\r\n\r\n', [400]],
];

describe.each(['http', 'socks5'] as const)('through a proxy of %s', (kind) => {
  it.each(ATTACKS)('%s', async (_, bytes, statuses, leaves) => {
    const { send, check, left } = await recording(kind);
    const isUpgrade = bytes.includes('Upgrade: websocket');
    // This proxy opens no tunnels, which an upgrade takes.
    if (isUpgrade) return void expect(statuses).toContain(await send(bytes));
    expect(statuses).toContain(await send(bytes));
    await check();
    if (leaves !== undefined) expect(left).toHaveLength(leaves);
    else if (!statuses.includes(200) && !statuses.includes(502)) expect(left).toEqual([]);
  });
});

const NAMES = [
  'Transfer-Encoding',
  'transfer-encoding',
  'TRANSFER-ENCODING',
  'Transfer_Encoding',
  'X-Transfer-Encoding',
] as const;
const VALUES = [
  'chunked',
  'Chunked',
  'identity',
  'gzip',
  'xchunked',
  'chunked, identity',
  'identity, chunked',
  'chunked;q=1',
  '"chunked"',
  'chun\tked',
  '',
] as const;
const NOISE = [
  ' ',
  '\t',
  '\0',
  '\x0b',
  '\x0c',
  '\r',
  '\n',
  '\r\n',
  '\r\n ',
  ',',
  ';',
  ':',
  '\x7f',
  '\x85',
  '\xa0',
  '\xff',
  '%0d%0a',
  'A: b\r\n',
] as const;
const LENGTHS = [
  '',
  '',
  'Content-Length: 5\r\n',
  `Content-Length: ${BODY.length}\r\n`,
  'Content-Length: 0\r\n',
  'content_length: 3\r\n',
] as const;

/** Headers of a body that some program or other may read as chunked. */
function mutatedHeaders(random: Random): string {
  let header = `${random.pick(NAMES)}:${random.pick([' ', '', '\t', '  '])}${random.pick(VALUES)}`;
  for (let times = random.below(3); times > 0; times--) {
    const at = random.below(header.length + 1);
    header = header.slice(0, at) + random.pick(NOISE) + header.slice(at + random.below(2));
  }
  const second = random.chance(0.2) ? `${random.pick(NAMES)}: ${random.pick(VALUES)}\r\n` : '';
  const [before, after] = random.chance(0.5) ? [random.pick(LENGTHS), ''] : ['', random.pick(LENGTHS)];
  return `${before}${header}\r\n${second}${after}`;
}

describe('600 mutations of Transfer-Encoding', () => {
  it.each(['http', 'socks5'] as const)('leave a proxy of %s with clear requests only', async (kind) => {
    const random = new Random(SEED);
    const { send, check, left } = await recording(kind);
    const counts = new Map<number, number>();
    const one = async (): Promise<void> => {
      const status = await send(`${LINE}${HOST}${mutatedHeaders(random)}\r\n${BODY}`);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    };
    for (let batch = 0; batch < 20; batch++) await Promise.all(Array.from({ length: 30 }, one));
    await check();
    expect(left.length).toBeGreaterThan(20);
    expect(counts.get(400)).toBeGreaterThan(60);
    expect(counts.get(200)).toBeGreaterThan(20);
  });
});
