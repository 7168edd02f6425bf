import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Calls back once if the client of a plain request leaves before the end of its answer. A client that has only ended its half may wait for
 * an answer: so long, since one that has closed its connection looks the same.
 *
 * @param graceMs how long. Milliseconds.
 * @returns to be called when the answer has begun: from then on writing shows whether the client is there.
 */
export function onClientLeft(
  client: Socket,
  response: ServerResponse,
  graceMs: number,
  left: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onEnd = (): void => {
    timer = setTimeout(() => response.destroy(), graceMs);
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
