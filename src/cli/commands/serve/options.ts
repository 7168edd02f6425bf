import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';

import { ProxyVaultError } from '../../../errors.ts';
import { withFileErrors } from '../../../files/file-error.ts';
import { assertPath } from '../../../files/path.ts';
import type { GatewayOptions } from '../../../gateway/index.ts';
import { type ListenText, parseListen } from '../../../gateway/listen-text.ts';
import { MAX_PORT } from '../../../model/host.ts';
import { duration, positiveNumber, repeated, wholeNumber } from '../../arguments.ts';
import { LOG_FORMATS, type LogFormat } from './request-logger.ts';
import type { UserOptions } from './users.ts';

/** What `serve` takes; times are milliseconds. */
export interface ServeOptions extends UserOptions {
  port?: number;
  host?: string;
  listen?: ListenText[];
  printUsers?: boolean;
  allowTarget?: string[];
  allowPrivateTargets?: boolean;
  log?: LogFormat;
  attempts?: number;
  deadline?: number;
  connectTimeout?: number;
  handshakeTimeout?: number;
  answerTimeout?: number;
  idleTimeout?: number;
  headerTimeout?: number;
  maxTunnelAge?: number;
  maxConnections?: number;
  maxConnectionsPerClient?: number;
  openTunnels?: 'drain' | 'close';
  reuse?: 'identity' | 'never';
  drain?: number;
  ca?: string[];
  via?: boolean;
  forwardedFor?: boolean;
}

/** Some 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Adds the options of `serve`. */
export function withServeOptions(command: Command): Command {
  return command
    .option('--port <port>', 'the port, or 0 for a free one; default 8888', portNumber)
    .option('--host <address>', 'the address; default 127.0.0.1. Any other than loopback needs users')
    .option(
      '--listen <port>',
      'another port, whose clients all are who PORT=country-de,session-a says; may be repeated',
      listening,
    )
    .option(
      '--user <name>',
      'only this user may use it; NAME:PASSWORD works too, and process lists show it; may be repeated',
      repeated,
    )
    .option('--password-stdin', 'read the password of --user from standard input')
    .option(
      '--users <file>',
      'the users are in this file, in lines of NAME:PASSWORD, NAME:HASH or JSON, which may have limits',
    )
    .option('--print-users', 'print each user as a line for --users, with the password hashed, and end')
    .option(
      '--allow-target <host>',
      'let clients reach this target on loopback or link-local: HOST, HOST:PORT, *.NAME or a network; may be repeated',
      repeated,
    )
    .option('--allow-private-targets', 'let clients reach every target on loopback, link-local and metadata')
    .addOption(new Option('--log <format>', 'print a line for each request').choices(LOG_FORMATS))
    .option('--attempts <n>', 'try so many proxies for a request; default 3', positiveNumber)
    .option('--deadline <time>', 'try them for so long; default 30s', duration)
    .option('--connect-timeout <time>', 'wait so long for the connection to a proxy; default 5s', duration)
    .option(
      '--handshake-timeout <time>',
      'wait so long for its TLS, and for its answer; default 10s',
      duration,
    )
    .option('--answer-timeout <time>', 'wait so long for the answer to plain HTTP; default 60s', duration)
    .option('--idle-timeout <time>', 'close what has no traffic for so long; default 120s', duration)
    .option('--header-timeout <time>', 'let clients take so long for a header; default 10s', duration)
    .option('--max-tunnel-age <time>', 'close a tunnel after so long; default never', duration)
    .option('--max-connections <n>', 'take so many clients at a time; default 20000', positiveNumber)
    .option(
      '--max-connections-per-client <n>',
      'as many of one address; default 1000, and no limit on loopback',
      positiveNumber,
    )
    .addOption(
      new Option(
        '--open-tunnels <how>',
        'what open tunnels of a proxy do that is out, disabled or removed; default drain',
      ).choices(['drain', 'close']),
    )
    .addOption(
      new Option(
        '--reuse <how>',
        'keep connections to proxies for requests of one identity, or never; default identity',
      ).choices(['identity', 'never']),
    )
    .option(
      '--drain <time>',
      'let connections end for so long after SIGTERM and Ctrl-C; default 10s',
      timerDuration,
    )
    .option('--ca <file>', 'trust these certificates for HTTPS proxies too; may be repeated', repeated)
    .option('--via', 'say with Via that a request came through a proxy')
    .option('--forwarded-for', 'tell the target the address of the client with X-Forwarded-For');
}

/** The options of the gateway, without users and logger. @throws INVALID_INPUT, CANNOT_OPEN for a certificate. */
export function gatewayOptionsOf(options: ServeOptions): GatewayOptions {
  const { host, port, attempts, openTunnels, reuse, maxConnections, maxConnectionsPerClient } = options;
  return {
    host,
    port,
    attempts,
    openTunnels,
    reuse,
    maxConnections,
    maxConnectionsPerClient,
    allowTargets: options.allowPrivateTargets ? 'all' : options.allowTarget,
    deadlineMs: options.deadline,
    connectMs: options.connectTimeout,
    handshakeMs: options.handshakeTimeout,
    answerMs: options.answerTimeout,
    idleMs: options.idleTimeout,
    headerMs: options.headerTimeout,
    maxTunnelAgeMs: options.maxTunnelAge,
    via: options.via,
    forwardedFor: options.forwardedFor,
    ca: options.ca?.map(readCertificate),
  };
}

function readCertificate(path: string): string {
  assertPath(path, '--ca');
  return withFileErrors(`The certificate ${path} cannot be read`, path, () => readFileSync(path, 'utf8'));
}

/** What a timer of Node can wait, in whole milliseconds. */
function timerDuration(text: string): number {
  const ms = Math.ceil(duration(text));
  if (ms <= LONGEST_TIMER) return ms;
  throw new InvalidArgumentError('It must be at most 24 days.');
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port <= MAX_PORT) return port;
  throw new InvalidArgumentError(`It must be at most ${MAX_PORT}.`);
}

function listening(text: string, before: ListenText[] = []): ListenText[] {
  try {
    return [...before, parseListen(text)];
  } catch (error) {
    if (error instanceof ProxyVaultError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
