import type { Gateway } from '../../gateway/index.ts';
import type { Vault } from '../../vault.ts';
import { bareCommand } from '../command.ts';
import { note } from '../note.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { lines, text } from '../terminal.ts';
import { warn } from '../warn.ts';
import { announce } from './serve/announcement.ts';
import { gatewayOptionsOf, type ServeOptions, withServeOptions } from './serve/options.ts';
import { requestLogger } from './serve/request-logger.ts';
import { endingSignal } from './serve/signals.ts';
import { usersOf } from './serve/users.ts';
import { hashedLine } from './serve/users-file.ts';

/** A write that waits for the lock of another process stops every tunnel meanwhile. */
const BUSY_TIMEOUT_MS = 1_000;

export const serveCommand = bareCommand({
  name: 'serve',
  key: 'always',
  purpose: 'serve a local proxy for any client: each request leaves through a proxy of the pool',
  example: 'proxyvault serve --port 8888 --listen 24001=country-de,session-a',
  notes: `One port takes HTTP, SOCKS5 and SOCKS4. The username says which proxy is wanted, in any order, and there need be none:
  $ curl -x http://127.0.0.1:8888 https://example.com/
  $ curl -x socks5h://country-de-session-abc-ttl-30m:x@127.0.0.1:8888 https://example.com/

The password of --user NAME comes from --password-stdin or PROXYVAULT_GATEWAY_PASSWORD, else it is asked for.
SIGTERM and Ctrl-C end it once open connections have ended (--drain); a second one ends it at once. docs/gateway.md has the rest.`,
  takes: withServeOptions,
  act: serve,
});

async function serve(options: ServeOptions): Promise<void> {
  const gatewayOptions = gatewayOptionsOf(options);
  const users = await usersOf(options);
  if (options.printUsers) {
    const hashed = await Promise.all(users.map(hashedLine));
    print(options.json, { users: hashed }, () => lines(hashed));
    return;
  }
  const { json, log } = options;
  // A program that wants JSON gets nothing else.
  const logger = log === undefined ? undefined : requestLogger(json ? 'json' : log);
  await withVault(
    options,
    async (vault) => {
      // From here on, so that no signal is missed while the pool is read.
      using signals = endingSignal();
      assertKeyFits(vault);
      const gateway = await vault.serve({ ...gatewayOptions, users, logger });
      const ports = [];
      for (const { port, host, identity } of options.listen ?? [])
        ports.push({ ...(await gateway.listen({ port, host, ...identity })), identity });
      announce(json, { gateway, ports, vault });
      serveWithoutReader(options);
      warnIfEmpty(json, vault);
      const signal = await signals.first;
      await drain(gateway, signal, options);
    },
    { unlock: true, busyTimeoutMs: BUSY_TIMEOUT_MS },
  );
}

async function drain(gateway: Gateway, signal: string, options: ServeOptions): Promise<void> {
  const { drain: drainMs = 10_000 } = options;
  const { connections } = gateway.stats();
  if (connections > 0)
    note(options, text`${signal}: waiting up to ${drainMs} ms for ${connections} connections to end\n`);
  await gateway.close({ drainMs });
}

/** Without the key every request would fail. @throws KEY_MISSING, KEY_MISMATCH and the like. */
function assertKeyFits({ credentials, keys }: Vault): void {
  if (credentials.count() > 0) keys.keyId();
}

/** Whoever reads the output may go away: the gateway serves on, without its log. */
function serveWithoutReader(options: ServeOptions): void {
  let isTold = false;
  process.stdout.removeAllListeners('error').on('error', () => {
    if (isTold) return;
    isTold = true;
    note(options, text`Nobody reads the output any more: the gateway serves on, without a log\n`);
  });
}

function warnIfEmpty(json: boolean | undefined, { proxies }: Vault): void {
  if (proxies.count() > 0) return;
  warn(
    json,
    'EMPTY_POOL',
    'The pool has no proxies, so every request gets 503: add some with `proxyvault import FILE`. The gateway sees them at once.',
  );
}
