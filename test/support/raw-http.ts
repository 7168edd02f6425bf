import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request that got through the parser. */
export interface Seen {
  kind: 'request' | 'upgrade' | 'connect';
  method: string;
  url: string;
  httpVersion: string;
  rawHeaders: string[];
  body: string;
  /** The whole body came. */
  isWhole: boolean;
}

/** Asks the strict parser of `node:http` what it makes of bytes: each character of a text is one byte. */
export type Ask = (bytes: string) => Promise<Seen[]>;

/** Starts the strict parser on loopback. */
export async function startStrictParser(): Promise<Ask> {
  const seen = new Map<number | undefined, Seen[]>();
  const note = (kind: Seen['kind'], request: IncomingMessage): Seen => {
    const { method = '', url = '', httpVersion, rawHeaders, socket } = request;
    const each: Seen = { kind, method, url, httpVersion, rawHeaders, body: '', isWhole: false };
    seen.get(socket.remotePort)?.push(each);
    return each;
  };
  const server = createServer({ insecureHTTPParser: false }, (request, response) => {
    const each = note('request', request);
    request
      .setEncoding('latin1')
      .on('data', (text: string) => {
        each.body += text;
      })
      .once('end', () => {
        each.isWhole = true;
      })
      .on('error', () => {});
    response.end();
  });
  server.on('upgrade', (request, socket) => {
    note('upgrade', request);
    socket.destroy();
  });
  server.on('connect', (request, socket) => {
    note('connect', request);
    socket.destroy();
  });
  server.on('clientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return async (bytes) => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
    await once(client, 'connect');
    const port = client.localPort;
    seen.set(port, []);
    client.resume().end(Buffer.from(bytes, 'latin1'));
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
    const requests = seen.get(port) ?? [];
    seen.delete(port);
    return requests;
  };
}

/** A request as a reader sees it that takes nothing but the plainest form. */
interface PlainForm {
  line: string;
  headers: (readonly [name: string, value: string])[];
  body: string;
}

/** What a proxy got on one connection. */
interface Recorded {
  requests: PlainForm[];
  /** What is not yet a whole request. */
  rest: string;
}

/** A proxy on loopback that answers each request with 200, and throws for what is not in the plainest form. */
export async function startRecorder(): Promise<{
  port: number;
  connections: Recorded[];
  problems: string[];
}> {
  const connections: Recorded[] = [];
  const problems: string[] = [];
  const server = createTcpServer((socket) => {
    const recorded: Recorded = { requests: [], rest: '' };
    connections.push(recorded);
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text) => {
      recorded.rest += text;
      try {
        for (let read = readPlainForm(recorded.rest); read !== null; read = readPlainForm(recorded.rest)) {
          recorded.requests.push(read.request);
          recorded.rest = recorded.rest.slice(read.length);
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        }
        if (/^expect: 100-continue\r\n[\s\S]*?\r\n\r\n$/im.test(recorded.rest))
          socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      } catch (error) {
        problems.push(`${(error as Error).message}: ${JSON.stringify(recorded.rest)}`);
        socket.destroy();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, connections, problems };
}

/** The first request of a text; null if it is not all there. @throws for what is not in the plainest form. */
function readPlainForm(text: string): { request: PlainForm; length: number } | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [line = '', ...lines] = text.slice(0, end).split('\r\n');
  if (!/^[A-Z]+ [!-~]+ HTTP\/1\.1$/.test(line)) throw new Error('a wrong request line');
  const headers = lines.map((each) => {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+): ([\t -~\x80-\xff]*)$/.exec(each) ?? [];
    if (name === undefined || value === undefined) throw new Error('a wrong header');
    return [name, value] as const;
  });
  const valuesOf = (wanted: RegExp): string[] =>
    headers.filter(([name]) => wanted.test(name)).map(([, value]) => value);
  const lengths = valuesOf(/^content[^a-z]*length$/i);
  const codings = valuesOf(/^transfer[^a-z]*encoding$/i);
  if (valuesOf(/^host$/i).length !== 1) throw new Error('not one Host');
  if (lengths.length + codings.length > 1) throw new Error('several lengths');
  if (codings.some((coding) => coding !== 'chunked')) throw new Error('another coding than chunked');
  if (lengths.some((length) => !/^(?:0|[1-9]\d*)$/.test(length))) throw new Error('a wrong length');
  if (valuesOf(/^(?:x-proxyvault-.*|te|trailer|upgrade)$/i).length > 0)
    throw new Error('a header that must not leave');
  const start = end + 4;
  if (codings.length > 0) {
    const chunks = readChunks(text, start);
    return chunks && { request: { line, headers, body: chunks.body }, length: chunks.end };
  }
  const length = start + Number(lengths[0] ?? 0);
  return text.length < length
    ? null
    : { request: { line, headers, body: text.slice(start, length) }, length };
}

function readChunks(text: string, start: number): { body: string; end: number } | null {
  let body = '';
  for (let at = start; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) return null;
    const digits = text.slice(at, end);
    if (!/^[\da-f]+$/i.test(digits)) throw new Error('a wrong chunk');
    const size = Number.parseInt(digits, 16);
    if (text.length < end + 4 + size) return null;
    if (text.slice(end + 2 + size, end + 4 + size) !== '\r\n') throw new Error('a chunk without an end');
    if (size === 0) return { body, end: end + 4 };
    body += text.slice(end + 2, end + 2 + size);
    at = end + 4 + size;
  }
}
