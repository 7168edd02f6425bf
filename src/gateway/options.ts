import { randomBytes } from 'node:crypto';
import { z } from 'zod';

import { MAX_PORT } from '../model/host.ts';
import { assertFunction, assertObject, invalidInput, parse } from '../model/validation.ts';
import { CONNECTION_FIELDS } from '../upstream/connection-options.ts';
import { CONNECT_MS, HANDSHAKE_MS } from '../upstream/upstream.ts';
import type { ClientIdentity } from './identity.ts';
import type { GatewayLogger } from './log.ts';
import type { GatewayUser } from './users.ts';

const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const connections = z.int().min(1).max(1_000_000);

const optionsSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: z.int().min(0).max(MAX_PORT).default(8888),
  attempts: z.int().min(1).max(100).default(3),
  deadlineMs: milliseconds.default(30_000),
  connectMs: CONNECTION_FIELDS.connectMs.default(CONNECT_MS),
  handshakeMs: CONNECTION_FIELDS.handshakeMs.default(HANDSHAKE_MS),
  answerMs: milliseconds.default(60_000),
  idleMs: milliseconds.default(120_000),
  headerMs: milliseconds.default(10_000),
  maxTunnelAgeMs: milliseconds.optional(),
  openTunnels: z.enum(['drain', 'close']).default('drain'),
  reuse: z.enum(['identity', 'never']).default('identity'),
  retryStatuses: z.array(z.int().min(400).max(599)).default([502, 504]),
  maxConnections: connections.default(20_000),
  maxConnectionsPerClient: connections.optional(),
  maxHeaderBytes: z.int().min(1024).max(1_048_576).default(16_384),
  via: z.boolean().default(false),
  forwardedFor: z.boolean().default(false),
  ca: CONNECTION_FIELDS.ca.optional(),
});

const addressSchema = optionsSchema.pick({ host: true, port: true });

type Valid = z.input<typeof optionsSchema>;

/** How a gateway serves. Times are milliseconds. */
export interface GatewayOptions extends Valid {
  /** The address to listen on. Default 127.0.0.1. Any other than loopback needs `users`. */
  host?: Valid['host'];
  /** Default 8888; 0 takes a free port. */
  port?: Valid['port'];
  /** Who may use the gateway. Without users everybody who reaches the port may. */
  users?: readonly GatewayUser[] | undefined;
  /**
   * Targets on loopback, link-local and metadata addresses that may be reached all the same: `HOST`, `HOST:PORT`, `*.NAME` for all names
   * below one, or a network such as `127.0.0.0/8`; `'all'` for each. Default: no target, since a gateway must not lend out the network of an
   * upstream's host.
   */
  allowTargets?: readonly string[] | 'all' | undefined;
  /** How many proxies are tried for one request. Default 3. */
  attempts?: Valid['attempts'];
  /** No attempt begins later than this after the request has come, and no connection is waited for longer. Default 30,000. */
  deadlineMs?: Valid['deadlineMs'];
  /** How long to wait for the TCP connection to a proxy. Default: that of `connections` of `openVault`, else 5,000. */
  connectMs?: Valid['connectMs'];
  /** How long to wait for the TLS handshake of a proxy, and for its answer to CONNECT or SOCKS. Default: as `connectMs`, else 10,000. */
  handshakeMs?: Valid['handshakeMs'];
  /** How long to wait for the header of the answer to a plain HTTP request that was sent. Default 60,000. */
  answerMs?: Valid['answerMs'];
  /** How long a tunnel or an answer may have no traffic before it is closed. Default 120,000. */
  idleMs?: Valid['idleMs'];
  /** How long a client may take for its first byte, for a header, and between two pieces of a body. Default 10,000. */
  headerMs?: Valid['headerMs'];
  /** How long a tunnel may be open. Default: without limit, since a limit breaks downloads and WebSockets. */
  maxTunnelAgeMs?: Valid['maxTunnelAgeMs'];
  /**
   * What happens to open tunnels if their proxy is out, disabled or removed, or their session expires or gets another proxy: `drain` lets
   * them end by themselves, `close` closes them. Default `drain`.
   */
  openTunnels?: Valid['openTunnels'];
  /**
   * Whether a connection to a proxy serves several plain HTTP requests: those of one `identity` (proxy, login and session), or `never`.
   * Default `identity`.
   */
  reuse?: Valid['reuse'];
  /** Answers after which a plain GET, HEAD or OPTIONS is tried with another proxy. Default 502 and 504. */
  retryStatuses?: Valid['retryStatuses'];
  /** How many connections clients may have at a time; the next is closed at once. Default 20,000. */
  maxConnections?: Valid['maxConnections'];
  /** The same for each address of a client. Default: 1,000 for other machines, without limit on loopback. */
  maxConnectionsPerClient?: Valid['maxConnectionsPerClient'];
  /** The longest header of a request or an answer, in bytes. Default 16,384. */
  maxHeaderBytes?: Valid['maxHeaderBytes'];
  /**
   * Say with `Via` that a request came through a proxy, also to HTTP proxies that open a tunnel. A request that comes back by way of others
   * is then known, and answered 508. Default false.
   */
  via?: Valid['via'];
  /** Tell the target the client's address with `X-Forwarded-For`. Default false. */
  forwardedFor?: Valid['forwardedFor'];
  /** Certificates that HTTPS proxies may have, besides those that Node trusts: PEM. Default: those of `connections` of `openVault`. */
  ca?: Valid['ca'];
  /** Gets a line for each request; pino fits. Default: no log. */
  logger?: GatewayLogger | undefined;
}

/** A port with an identity of its own: who comes by it need not say who they are. */
export interface ListenOptions extends ClientIdentity {
  /** Default: that of the gateway. */
  host?: string | undefined;
  /** Default 0: a free port. */
  port?: number | undefined;
}

type ValidSettings = z.output<typeof optionsSchema>;

/** The options of a gateway, checked and with their defaults, without what other files check. */
export interface Settings extends ValidSettings {
  /** What `Via` calls this gateway. No other gateway has it, so that one may lead to another, and a request that comes back is known. */
  pseudonym: string;
}

/** @throws INVALID_INPUT. */
export function settingsOf(options: GatewayOptions): Settings {
  const { users = [], allowTargets = [], logger, ...rest } = options;
  if (!Array.isArray(users)) throw invalidInput('users must be an array.');
  const isList = Array.isArray(allowTargets) && allowTargets.every((each) => typeof each === 'string');
  if (allowTargets !== 'all' && !isList)
    throw invalidInput("allowTargets must be 'all' or an array of texts.");
  if (logger !== undefined) {
    assertFunction(assertObject(logger, 'logger').info, 'logger.info');
    assertFunction(logger.warn, 'logger.warn');
  }
  const pseudonym = `proxyvault-${randomBytes(6).toString('hex')}`;
  return { ...parse(optionsSchema, rest, 'configuration of the gateway'), pseudonym };
}

/** Where to listen. @throws INVALID_INPUT. */
export function addressOf(given: { host?: string | undefined; port?: number | undefined }): {
  host: string;
  port: number;
} {
  return parse(addressSchema, given, 'address to listen on');
}
