import type { Geolocation } from '../model/geolocation.ts';
import type { ProxyAddress } from '../model/proxy.ts';

/** A proxy as a list gives it. What the list does not say is absent. */
export interface ListedProxy extends ProxyAddress {
  username?: string | undefined;
  password?: string | undefined;
  name?: string | undefined;
  /** The label under which the pool keeps it; `geolocation` says where the exit is. */
  region?: string | undefined;
  geolocation?: Geolocation | undefined;
  /** Whole milliseconds. */
  latency?: number | undefined;
  /** The only status that a list sets. */
  status?: 'disabled' | undefined;
  /** A URL at the provider that gives the proxy a new exit address when it is requested. As secret as the login. */
  rotateUrl?: string | undefined;
  /** SOCKS only: whether the proxy resolves host names (`socks5h`, `socks4a`). Absent if the list does not say. */
  remoteDns?: boolean | undefined;
  /** How often it is chosen, compared with the others. Absent if the list does not say. */
  weight?: number | undefined;
  /** One host with many exits. Absent if the list does not say. */
  gateway?: boolean | undefined;
}

/** Why a line or record is rejected. The set is closed. */
export type RefusalCode =
  | 'line-too-long'
  | 'not-a-list'
  | 'not-a-proxy'
  | 'unknown-scheme'
  | 'bad-host'
  | 'missing-port'
  | 'bad-port'
  | 'ambiguous'
  | 'bad-credentials'
  | 'bad-encoding'
  | 'bad-record'
  | 'trailing-text'
  | 'truncated';

/** What one line is. */
export type LineVerdict =
  | { kind: 'proxy'; proxy: ListedProxy; notes: readonly string[] }
  | { kind: 'comment' }
  | { kind: 'blank' }
  | {
      kind: 'refused';
      code: RefusalCode;
      /** For a person; never holds the line's text. */
      reason: string;
      /** From 1, counted in UTF-16 units, in the line as it is written. */
      column: number;
    };

/** A verdict with its place, lines counted from 1. The `text` of a rejected line has everything masked that may be a credential. */
export type ListVerdict =
  | (Exclude<LineVerdict, { kind: 'refused' }> & { line: number })
  | (Extract<LineVerdict, { kind: 'refused' }> & { line: number; text: string });
