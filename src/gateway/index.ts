/** The local proxy server: any client's traffic through the pool. gateway.ts is the place to begin. */
export type { GatewayStats } from './counts.ts';
export { type CloseOptions, Gateway, type Listening } from './gateway.ts';
export { hashPassword } from './hash-password.ts';
export type { ClientIdentity } from './identity.ts';
export type { GatewayLogger, RequestLog, Tried } from './log.ts';
export type { GatewayOptions, ListenOptions } from './options.ts';
export { checkedUsers, type GatewayUser } from './users.ts';
