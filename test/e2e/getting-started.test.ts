import { expect, it } from 'vitest';
import { startProxy } from '../support/loopback-proxy.ts';
import { followPage, readPage } from '../support/page.ts';

it('does what the page says, from top to bottom', { timeout: 60_000 }, async () => {
  const { address, logins } = await startProxy('Hello from the shop.\n');
  // The proxy and the shop of the page are on this machine.
  const page = readPage('docs/getting-started.md')
    .replaceAll('gate.example.com:8080', address)
    .replaceAll('https://shop.example/', 'http://shop.example/');
  const shown = await followPage(page);
  expect(shown.length).toBeGreaterThan(14);
  for (const { command, status, stdout, stderr, printed } of shown) {
    expect({ command, status, stderr }).toMatchObject({ command, status: 0 });
    if (printed !== '') expect({ command, stdout: stdout.trim() }).toEqual({ command, stdout: printed });
  }
  // undici, Node's own fetch, curl by the environment and curl by its argument.
  expect(logins).toEqual(['me:s3cret', 'me:s3cret', 'me:s3cret', 'me:s3cret']);
});
