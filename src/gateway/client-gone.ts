import type { Socket } from 'node:net';

/**
 * Calls back once when a client that waits for its tunnel closes its connection, or its half. What it has sent stays to be read.
 *
 * @returns ends the watch.
 */
export function onClientGone(socket: Socket, gone: () => void): () => void {
  const onReadable = (): void => {
    // At the end of the stream this makes it emit `end`.
    if (socket.readableLength === 0) socket.read();
  };
  const stop = (): void => {
    socket.off('readable', onReadable).off('end', onGone).off('close', onGone);
  };
  const onGone = (): void => {
    stop();
    gone();
  };
  if (socket.destroyed) {
    gone();
    return stop;
  }
  socket.on('readable', onReadable).once('end', onGone).once('close', onGone);
  return stop;
}
