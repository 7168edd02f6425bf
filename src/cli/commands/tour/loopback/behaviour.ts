import type { Socket } from 'node:net';
import { type Duplex, Transform } from 'node:stream';

/**
 * What an upstream does:
 * - `work`: it sends on what comes.
 * - `refuse`: its port is closed.
 * - `hang`: it accepts connections and requests, and never answers.
 * - `reset`: it resets the connection, `after` so many bytes of an answer (0: in place of one).
 * - `half-close`: it ends its side at that time, and reads on.
 * - `garbage`: it answers with bytes of no protocol.
 * - `status`: it answers with an HTTP status, or a SOCKS reply code, in place of connecting.
 */
export type Behaviour = 'work' | 'refuse' | 'hang' | 'reset' | 'half-close' | 'garbage' | 'status';

export interface BehaviourDetails {
  /** Of `reset` and `half-close`. Default 0. */
  after?: number | undefined;
  /** Of `status`. Default 503, and 1 for SOCKS. */
  status?: number | undefined;
  /** Of `status`: the header Retry-After. */
  retryAfter?: string | undefined;
}

const GARBAGE = Buffer.from('\x00\xff\x13\x37 this is no answer of any protocol \r\n\r\n\x80\x81', 'latin1');

/** Does to a connection what is done in place of an answer; false if it is to be answered. */
export function interfere(
  behaviour: Behaviour,
  { after = 0 }: BehaviourDetails,
  stream: Duplex,
  raw: Socket,
): boolean {
  // It closes its end when the client does.
  if (behaviour === 'hang') stream.resume().once('end', () => stream.end());
  else if (behaviour === 'garbage') stream.resume().end(GARBAGE);
  else if (behaviour === 'reset' && after === 0) reset(stream, raw);
  else if (behaviour === 'half-close' && after === 0) stream.resume().end();
  else return false;
  return true;
}

/** Resets a connection. One with TLS on it does not always close by that alone. */
export function reset(stream: Duplex, raw: Socket): void {
  raw.resetAndDestroy();
  if (stream === raw) return;
  stream.destroy();
  setImmediate(() => raw.destroy());
}

/** Lets so many bytes through, calls `cut` once, and swallows the rest. */
export function cutAfter(bytes: number, cut: () => void): Transform {
  let left = bytes;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (left === 0) return done();
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      // What was written before leaves first.
      if (left === 0) setImmediate(cut);
      return done(null, passed);
    },
  });
}
