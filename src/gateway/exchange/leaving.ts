/** A request as it leaves. */
export interface Leaving {
  method: string;
  path: string;
  /** Names and values by turns, without those that say how long the connection lasts and how the body is framed in chunks. */
  headers: readonly string[];
  /** Who sends the body; null without one. */
  body: BodySource | null;
  /** The protocol that the target may change to: then the answer may be 101. */
  upgrade?: string | undefined;
}

/** Where the body of a request goes. */
export interface BodySink {
  /** Sends a piece. @returns whether more may be sent now; if not, `onDrain` of the source says when. */
  write: (piece: Buffer) => boolean;
  /** All of it has been sent. */
  end: () => void;
  /** Gives up the request. */
  destroy: (error: Error) => void;
}

/** Who sends the body of a request. */
export interface BodySource {
  /** Whether it leaves in chunks; else a header has its length. */
  readonly isChunked: boolean;
  send: (sink: BodySink) => void;
  /** The target wants it: an answer of 100 has come. */
  onContinue: () => void;
  /** The answer has begun. */
  onAnswer: () => void;
  /** The connection takes more. */
  onDrain: () => void;
  /** The connection takes no more of it. */
  onClosed: () => void;
}

/** The head of a request, a character for each byte. */
export function requestHead({ method, path, headers, body, upgrade }: Leaving, isKept: boolean): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  if (body?.isChunked) head += 'Transfer-Encoding: chunked\r\n';
  if (upgrade !== undefined) return `${head}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`;
  return `${head}Connection: ${isKept ? 'keep-alive' : 'close'}\r\n\r\n`;
}
