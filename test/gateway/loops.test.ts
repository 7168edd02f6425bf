import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { expect, it } from 'vitest';
import { Loops } from '../../src/gateway/loops.ts';

it('knows a client that is its own connection, until that is closed', async () => {
  const loops = new Loops();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const own = connect({ port, host: '127.0.0.1' });
  const [[client]] = (await Promise.all([once(server, 'connection'), once(own, 'connect')])) as [
    [Socket],
    unknown,
  ];
  expect(loops.isLoop(client)).toBe(false);
  loops.made(own);
  expect(loops.isLoop(client)).toBe(true);
  const { remotePort = 0, localAddress = '', localPort = 0 } = client;
  own.destroy();
  await once(own, 'close');
  expect(loops.isLoop({ remotePort, localAddress, localPort })).toBe(false);
  client.destroy();
  server.close();
});

it('lets a client in that only has the same local port as a connection to a proxy', () => {
  const loops = new Loops();
  const own = { localPort: 40_000, remoteAddress: '127.0.0.1', remotePort: 3128, on() {} };
  loops.made(own as unknown as Socket);
  const client = { remotePort: 40_000, localAddress: '127.0.0.1', localPort: 8888 };
  expect(loops.isLoop(client)).toBe(false);
  expect(loops.isLoop({ ...client, localPort: 3128 })).toBe(true);
  expect(loops.isLoop({ ...client, localPort: 3128, localAddress: '::ffff:127.0.0.1' })).toBe(true);
});
