import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * How long a client that has ended its half may wait for its answer: not for long, since one that has closed its connection looks the same.
 * Milliseconds.
 */
export const GRACE_MS = 3_000;

/**
 * Calls back once if the client of a plain request leaves before the end of its answer.
 *
 * @param mostMs what a client that sends nothing may wait at most.
 * @returns to be called when the answer has begun: from then on writing shows whether the client is there.
 */
export function onClientLeft(
  client: Socket,
  response: ServerResponse,
  mostMs: number,
  left: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onEnd = (): void => {
    timer = setTimeout(() => response.destroy(), Math.min(mostMs, GRACE_MS));
  };
  const stop = (): void => {
    clearTimeout(timer);
    client.off('end', onEnd);
  };
  const onClose = (): void => {
    stop();
    if (!response.writableFinished) left();
  };
  if (isUnreachable(response)) onClose();
  else {
    response.once('close', onClose);
    if (client.readableEnded) onEnd();
    else client.once('end', onEnd);
  }
  return stop;
}

/** Whether nobody could get an answer: Node gives one that waits for others its connection only if that is still open. */
export function isUnreachable({ closed, socket }: ServerResponse): boolean {
  return closed || socket === null || socket.destroyed;
}
