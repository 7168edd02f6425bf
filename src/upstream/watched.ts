import type { Socket } from 'node:net';

/** What ended a step that was not done. */
export type Fault =
  | { reason: 'late' }
  /** `cause` is the error of the socket, if it had one. */
  | { reason: 'closed'; cause?: unknown };

/** How long a step may take, and what its failure is called. */
interface Limits {
  ms: number;
  signal: AbortSignal | undefined;
  errorOf: (fault: Fault) => Error;
}

/**
 * Waits for one step of a connection. Whatever comes first decides: the work is done or fails, the socket fails or ends, time is up, or
 * the signal is aborted. Afterwards nothing of the step listens to the socket or the signal, and no timer is left. If the step failed,
 * the socket is destroyed.
 */
export async function watched<T>(
  socket: Socket,
  { ms, signal, errorOf }: Limits,
  work: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = ignore;
  let onError: (cause: unknown) => void = ignore;
  let onEnd = ignore;
  // An error that comes in the same turn as the end of the step would otherwise end the process.
  socket.on('error', ignore);
  try {
    const value = await new Promise<T>((resolve, reject) => {
      onAbort = () => reject(signal?.reason);
      onError = (cause) => reject(errorOf({ reason: 'closed', cause }));
      onEnd = () => reject(errorOf({ reason: 'closed' }));
      signal?.throwIfAborted();
      timer = setTimeout(() => reject(errorOf({ reason: 'late' })), Math.max(0, ms));
      signal?.addEventListener('abort', onAbort);
      socket.on('error', onError).on('end', onEnd).on('close', onEnd);
      work().then(resolve, reject);
    });
    if (socket.destroyed) throw errorOf({ reason: 'closed' });
    socket.off('error', ignore);
    return value;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    socket.off('error', onError).off('end', onEnd).off('close', onEnd);
  }
}

function ignore(): void {}
