import type { IncomingMessage, ServerResponse } from 'node:http';

import { CLIENT_GONE, CUT_OFF } from './failures.ts';

/** Bytes. */
const SHORT = 4096;

/**
 * Gives an answer's body to the client, as fast as that takes it. If either side breaks off, so does the other. `pipeline` does the same,
 * and costs as much as all else of a short answer.
 *
 * @param done called once: with null when all of it was sent, else with what broke.
 */
export function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  done: (error: unknown) => void,
): void {
  let isDone = false;
  const settle = (error: unknown): void => {
    if (isDone) return;
    isDone = true;
    if (error !== null) {
      answer.destroy();
      response.destroy();
    }
    done(error);
  };
  answer
    .on('data', (piece: Buffer) => {
      if (!write(response, piece)) answer.pause();
    })
    .on('error', settle)
    .once('end', () => response.end())
    .once('close', () => {
      if (!answer.readableEnded) settle(CUT_OFF);
    });
  response
    .on('drain', () => answer.resume())
    .on('error', settle)
    .once('finish', () => settle(null))
    .once('close', () => settle(CLIENT_GONE));
  if (response.closed) settle(CLIENT_GONE);
}

/** A short piece goes as a text of one character for each byte: the header, which is such a text, then leaves in one piece with it. */
function write(response: ServerResponse, piece: Buffer): boolean {
  return piece.length > SHORT ? response.write(piece) : response.write(piece.toString('latin1'), 'latin1');
}
