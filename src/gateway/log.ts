import type { FailureKind } from '../model/outcomes.ts';

/** What a gateway logs to. A logger of pino is one. */
export interface GatewayLogger {
  info: (fields: object, message: string) => void;
  warn: (fields: object, message: string) => void;
}

/** An attempt to serve a request with a proxy. */
export interface Tried {
  /** The id of the proxy. */
  proxy: string;
  kind: FailureKind;
  /** The status that the proxy answered with, if it did. */
  status?: number | undefined;
  ms: number;
}

/** How a tunnel has ended, or an answer that was not complete. */
export type TunnelReason =
  | 'CLIENT_CLOSED'
  | 'SERVER_CLOSED'
  | 'CLIENT_BROKE'
  | 'SERVER_BROKE'
  | 'IDLE'
  | 'TOO_OLD'
  | 'PROXY_OUT'
  | 'GATEWAY_CLOSED';

/** A code of an error, such as `NO_PROXY`, or how what had begun has ended. */
type RequestReason = TunnelReason | 'CUT_OFF' | (string & {});

/** What is known of a request when it has ended. Ids and hosts, never a login. */
export interface RequestLog {
  client: string;
  user?: string | undefined;
  session?: string | undefined;
  protocol: 'connect' | 'http' | 'upgrade' | 'socks4' | 'socks5';
  method?: string | undefined;
  /** `host:port`; `-` if the client has named no target that could be read. */
  target: string;
  outcome: 'ok' | 'failed' | 'refused' | 'aborted';
  /** What the client was answered. */
  status?: number | undefined;
  /** Why, as a code: that of the answer, or how a tunnel has ended. */
  reason?: RequestReason | undefined;
  /** What the answer said of it. */
  detail?: string | undefined;
  /** The id of the proxy. */
  proxy?: string | undefined;
  /** The ticket of the lease: `proxyvault report` and `pool.reportLease` take it for a day, in any process. */
  lease?: string | undefined;
  /** The attempts that failed before. */
  tried?: readonly Tried[] | undefined;
  ms: number;
  /** To the server. */
  bytesOut?: number | undefined;
  /** From the server. */
  bytesIn?: number | undefined;
}

/** What is told of a request when it ends, besides who asked for what. */
export type RequestEnd = Pick<
  RequestLog,
  'outcome' | 'status' | 'reason' | 'detail' | 'proxy' | 'lease' | 'tried' | 'bytesIn' | 'bytesOut'
>;
