export type ListedProtocol = 'http' | 'https' | 'socks4' | 'socks5';

/** A proxy as a list gives it. */
export interface ListedProxy {
  protocol: ListedProtocol;
  /** ASCII, lower case, IPv6 without brackets. */
  host: string;
  port: number;
  username?: string | undefined;
  password?: string | undefined;
}

/** Why a line is refused. The set is closed. */
export type RefusalCode =
  | 'line-too-long'
  | 'not-a-proxy'
  | 'unknown-scheme'
  | 'bad-host'
  | 'missing-port'
  | 'bad-port'
  | 'ambiguous'
  | 'bad-credentials'
  | 'trailing-text';

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
      /** From 1, counted in UTF-16 units, in the line as it stands. */
      column: number;
    };

export interface ParseOptions {
  /** Of lines that name no scheme. Default `http`. */
  protocol?: ListedProtocol | undefined;
}
