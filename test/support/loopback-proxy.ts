import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';

interface Loopback {
  /** `127.0.0.1:PORT` */
  address: string;
  /** The `Proxy-Authorization` of each request, decoded. */
  logins: string[];
}

/** An HTTP proxy on loopback that answers each request by itself, whatever host is asked, as one website would. */
export async function startProxy(body: string): Promise<Loopback> {
  const logins: string[] = [];
  const note = ({ headers }: IncomingMessage): void => {
    const [, encoded = ''] = /^Basic (.*)$/i.exec(headers['proxy-authorization'] ?? '') ?? [];
    logins.push(Buffer.from(encoded, 'base64').toString());
  };
  const website = createServer((_, response) => response.end(body));
  const proxy = createServer((request, response) => {
    note(request);
    response.end(body);
  });
  proxy.on('connect', (request, socket, head) => {
    note(request);
    const upstream = connect((website.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    const end = (): void => {
      upstream.destroy();
      socket.destroy();
    };
    upstream.once('error', end).once('close', end);
    socket.once('error', end).once('close', end);
  });
  await Promise.all([website, proxy].map(listen));
  return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, logins };
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
}
