import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request that got through the parser. */
export interface Seen {
  kind: 'request' | 'upgrade' | 'connect';
  method: string;
  url: string;
  httpVersion: string;
  rawHeaders: string[];
}

/** Asks the strict parser of `node:http` what it makes of bytes: each character of a text is one byte. */
export type Ask = (bytes: string) => Promise<Seen[]>;

/** Starts the strict parser on loopback. */
export async function startStrictParser(): Promise<Ask> {
  const seen = new Map<number | undefined, Seen[]>();
  const note = (kind: Seen['kind'], request: IncomingMessage): void => {
    const { method = '', url = '', httpVersion, rawHeaders, socket } = request;
    seen.get(socket.remotePort)?.push({ kind, method, url, httpVersion, rawHeaders });
  };
  const server = createServer({ insecureHTTPParser: false }, (request, response) => {
    note('request', request);
    request.resume().on('error', () => {});
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
