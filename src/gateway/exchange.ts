import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';

import { CUT_OFF, NO_ANSWER } from './failures.ts';
import type { Reached, Reuse } from './reuse.ts';

/** A request as it leaves. */
export interface Leaving {
  method: string;
  path: string;
  /** Names and values by turns. */
  headers: readonly string[];
  maxHeaderSize: number;
}

/**
 * Begins a request on a connection of its own or one that is kept. Nothing of it has been written when this resolves.
 *
 * @throws what `reach` rejects with.
 */
export function beginRequest(
  reuse: Reuse,
  leaving: Leaving,
  { key, reach }: Pick<Reached, 'key' | 'reach'>,
  isRepeatable: boolean,
): Promise<ClientRequest> {
  const { headers, ...rest } = leaving;
  const options = { ...rest, headers: [...headers], agent: reuse.agent(isRepeatable), key, reach };
  return new Promise((resolve, reject) => {
    // Whoever waits for the request is told of an error. If nobody waits, it must not end the process.
    const request = httpRequest(options).on('error', ignore);
    const settle = (end: () => void): void => {
      request.off('socket', onSocket).off('error', onError);
      end();
    };
    const onSocket = (): void => settle(() => resolve(request));
    const onError = (error: Error): void => settle(() => reject(error));
    request.once('socket', onSocket).once('error', onError);
  });
}

/**
 * Waits for the header of the answer, for as long as something goes over the connection at least every `answerMs`: a large body may take
 * its time.
 *
 * @throws what the connection has failed with; NO_ANSWER.
 */
export function answerTo(request: ClientRequest, answerMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onTimeout = (): void => void request.destroy(NO_ANSWER);
    request.setTimeout(answerMs, onTimeout);
    let failure: unknown;
    request.once('error', (error) => {
      failure = error;
    });
    const onClose = (): void => reject(failure ?? CUT_OFF);
    request.once('close', onClose).once('response', (answer) => {
      request.setTimeout(0);
      request.off('close', onClose).off('timeout', onTimeout);
      resolve(answer);
    });
  });
}

function ignore(): void {}
