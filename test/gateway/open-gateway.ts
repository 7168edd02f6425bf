import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { openVault, type Vault } from 'proxyvault';
import { expect, onTestFinished, vi } from 'vitest';
import { TEST_CERTIFICATE } from '../../src/cli/commands/tour/loopback/certificate.ts';
import type { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import type { Gateway, GatewayOptions } from '../../src/gateway/index.ts';
import type { RequestLog } from '../../src/gateway/log.ts';
import { placeMigrated } from '../support/migrated-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A proxy of a pool: a server, or the address of one. */
export type InPool = Pick<UpstreamServer, 'kind' | 'host' | 'port'> & Partial<Pick<UpstreamServer, 'login'>>;

export interface OpenedGateway {
  vault: Vault;
  gateway: Gateway;
  port: number;
  /** Of the proxies, in their order. */
  ids: string[];
  /** A line for each request that has ended. */
  log: RequestLog[];
  /** How many connections to the proxies are open. */
  dialled: () => number;
  /** What the pool was told, as the database has it. */
  outcomes: () => { requests: number; successes: number; failures: number };
}

/** A gateway on a pool with these proxies, which takes them by turns from the first on. */
export async function openGateway(
  proxies: readonly InPool[],
  options: GatewayOptions = {},
  config: Parameters<Vault['config']['update']>[0] = {},
): Promise<OpenedGateway> {
  const path = `${temporaryFolder()}/pool.db`;
  placeMigrated(path);
  const vault = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
  onTestFinished(() => vault.close());
  vault.config.update({ strategy: 'round-robin', ...config });
  const made = vault.proxies.createMany(
    proxies.map(({ kind, host, port, login }, n) => ({
      id: `p${String(n).padStart(3, '0')}`,
      protocol: kind,
      host,
      port,
      credentials: login ?? null,
    })),
  );
  const dialled = connectionsTo(new Set(proxies.map(({ port }) => port)));
  const log: RequestLog[] = [];
  const note = (fields: object): void => void log.push(fields as RequestLog);
  const gateway = await vault.serve({
    port: 0,
    allowTargets: 'all',
    ca: TEST_CERTIFICATE,
    logger: { info: note, warn: note },
    ...options,
  });
  const ids = made.map(({ id }) => id);
  return {
    vault,
    gateway,
    port: gateway.port,
    ids,
    log,
    dialled,
    outcomes: () => {
      vault.pool.flush();
      const { requestCount, successCount, failureCount } = vault.usage.totals();
      return { requests: requestCount, successes: successCount, failures: failureCount };
    },
  };
}

/** Lets so many turns of the event loop pass, or fewer if it is over before. */
export async function afterTurns(turns: number, isOver = () => false): Promise<void> {
  for (let left = turns; left >= 0 && !isOver(); left--) await turn();
}

/** For so long each turn of the event loop is looked at, since what is waited for may be over soon. Milliseconds. */
const CLOSELY = 20;

/** Waits until something is true: closely at first, and then without taking the processor from what is waited for. */
export async function until(isTrue: () => boolean, what = 'it', ms = 10_000): Promise<void> {
  const begun = performance.now();
  while (!isTrue()) {
    if (performance.now() > begun + CLOSELY) return rarely(isTrue, what, ms);
    await turn();
  }
}

async function rarely(isTrue: () => boolean, what: string, ms: number): Promise<void> {
  try {
    await vi.waitUntil(isTrue, { timeout: ms, interval: 1 });
  } catch (cause) {
    throw new Error(`${what} did not happen within ${ms} ms`, { cause });
  }
}

/** Counts the connections that this process makes to some ports and that are open. */
function connectionsTo(ports: ReadonlySet<number>): () => number {
  const open = new Map<Socket, number | undefined>();
  const note = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    open.set(socket, undefined);
    socket
      .once('connect', () => open.set(socket, socket.remotePort))
      .once('close', () => open.delete(socket));
  };
  subscribe('net.client.socket', note);
  onTestFinished(() => void unsubscribe('net.client.socket', note));
  return () => [...open.values()].filter((port) => port === undefined || ports.has(port)).length;
}

/** Expects that nothing of the requests so far is left: no connection on any side, no tunnel, no lease. */
export async function expectNothingLeft(opened: OpenedGateway, ended?: number): Promise<void> {
  const { gateway, vault, log, dialled } = opened;
  const left = (): object => ({
    connections: gateway.stats().connections,
    tunnels: gateway.stats().tunnels,
    leases: vault.pool.stats().leases,
    dialled: dialled(),
  });
  const nothing = { connections: 0, tunnels: 0, leases: 0, dialled: 0 };
  const isNothing = (): boolean =>
    JSON.stringify(left()) === JSON.stringify(nothing) && (ended === undefined || log.length >= ended);
  await until(isNothing, 'nothing left', 5_000).catch(() => undefined);
  expect(left()).toEqual(nothing);
  if (ended !== undefined) expect(log).toHaveLength(ended);
}
