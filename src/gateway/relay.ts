import type { ServerResponse } from 'node:http';

import type { Carried, Exchange } from './exchange/exchange.ts';
import { CLIENT_GONE, NO_ANSWER } from './failures.ts';

/** Bytes. */
const SHORT = 4096;

/**
 * Gives an answer's body to the client, as fast as that takes it. If either side breaks off, so does the other.
 *
 * @param idleMs how long nothing may come or be taken.
 * @param done called once: with null when all of it was sent, else with what broke: CLIENT_GONE, or what the exchange has failed with.
 */
export function relay(
  exchange: Exchange,
  response: ServerResponse,
  idleMs: number,
  done: (error: Error | null, carried: Carried) => void,
): void {
  let isDone = false;
  const settle = (error: Error | null): void => {
    if (isDone) return;
    isDone = true;
    if (error !== null) {
      exchange.destroy();
      response.destroy();
    }
    done(error, exchange.carried);
  };
  response.setTimeout(idleMs, () => {
    // A client that reads nothing keeps the proxy from sending, and is waited for no longer when the proxy has sent all.
    if (response.writableLength > 0) response.destroy();
    else exchange.destroy(NO_ANSWER);
  });
  response
    .on('drain', () => exchange.resume())
    .once('error', () => settle(CLIENT_GONE))
    .once('finish', () => settle(null))
    .once('close', () => settle(CLIENT_GONE));
  if (response.closed) {
    settle(CLIENT_GONE);
    return;
  }
  exchange.read({
    onPiece: (piece) => write(response, piece),
    onEnd(error) {
      if (error === null) response.end();
      else settle(error);
    },
  });
}

/** A short piece goes as a text of one character for each byte: the header, which is such a text, then leaves in one piece with it. */
function write(response: ServerResponse, piece: Buffer): boolean {
  if (piece.length > SHORT) return response.write(piece);
  const mayGoOn = response.write(piece.toString('latin1'), 'latin1');
  // Node holds back what is written until the end of the turn, to write it with what follows, if that is only an empty text.
  response.socket?.uncork();
  return mayGoOn;
}
