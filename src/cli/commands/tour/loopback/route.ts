import { BlockList, connect, isIP, type Socket } from 'node:net';

export interface Place {
  host: string;
  port: number;
}

/** Where the name of a target leads; null if there is no such host. */
export type Resolve = (host: string, port: number) => Place | null;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Localhost and addresses of this machine lead to themselves; nothing else leads anywhere. */
export function resolveLocalhost(host: string, port: number): Place | null {
  if (host === 'localhost' || host.endsWith('.localhost')) return { host: '127.0.0.1', port };
  return isIP(host) === 0 ? null : { host, port };
}

/** Where a target is on this machine, or null: no server of the tour connects to another one. */
export function onThisMachine(resolve: Resolve, host: string, port: number): Place | null {
  const place = resolve(host, port) ?? resolveLocalhost(host, port);
  const isHere = place !== null && LOOPBACK.check(place.host, isIP(place.host) === 6 ? 'ipv6' : 'ipv4');
  return isHere ? place : null;
}

/** Connects to a target on this machine; null if that fails. */
export function connectTo(resolve: Resolve, host: string, port: number): Promise<Socket | null> {
  const place = onThisMachine(resolve, host, port);
  if (place === null) return Promise.resolve(null);
  return new Promise((done) => {
    const socket = connect({ host: place.host, port: place.port, allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => done(socket)).once('error', () => done(null));
    socket.on('error', () => undefined);
  });
}

/** `host:port` of a URL or of CONNECT; the host without brackets. */
export function placeOf(authority: string, defaultPort = 0): Place {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(authority) ?? [];
  return { host: bracketed ?? plain ?? '', port: port === undefined ? defaultPort : Number(port) };
}
