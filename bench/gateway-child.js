// One of the gateways that gateway.js measures, in a process of its own: `ours`, with a pool in a file, or `proxy-chain`. Both lead to one
// upstream proxy.
import { createRequire } from 'node:module';
import { openVault } from 'proxyvault';
import { answerCosts } from './gateway-costs.js';

const [kind, upstreamPort, path, keyFile] = process.argv.slice(2);
const upstream = `http://user:secret@127.0.0.1:${upstreamPort}`;
const port = kind === 'ours' ? await serveOurs() : await serveProxyChain();
process.send({ port });
answerCosts();

/** With the defaults: failover, statistics, outcomes that are stored. */
async function serveOurs() {
  const vault = await openVault({ path, keyFile });
  await vault.import([upstream]);
  return (await vault.serve({ port: 0 })).port;
}

async function serveProxyChain() {
  const { resolve } = createRequire(new URL('peers/package.json', import.meta.url));
  const { Server } = await import(resolve('proxy-chain'));
  const server = new Server({
    port: 0,
    host: '127.0.0.1',
    prepareRequestFunction: () => ({ upstreamProxyUrl: upstream }),
  });
  await server.listen();
  return server.port;
}
