/** Connections through a proxy. It knows no pool and no database. connect.ts is the place to begin. */

export { connect } from './connect.ts';
export { Connections, type LeaseDispatcher } from './connections.ts';
export { dial } from './dial.ts';
export type { ConnectOptions, Target, Upstream } from './upstream.ts';
