/** Connections through a proxy. It knows no pool and no database. connect.ts is the place to begin. */
export { basicLogin } from './basic-login.ts';
export { connect } from './connect.ts';
export type { ConnectionOptions } from './connection-options.ts';
export { Connections } from './connections.ts';
export { dial } from './dial.ts';
export { addressBytes } from './ip-bytes.ts';
export type { LeaseDispatcher } from './lazy-dispatcher.ts';
export { relayReads } from './reused-reads.ts';
export type { ConnectOptions, Target, Upstream } from './upstream.ts';
