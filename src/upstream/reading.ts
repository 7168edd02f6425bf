import type { Socket } from 'node:net';

/**
 * Reads exactly so many bytes; what comes after them stays in the socket. Never settles if the socket ends or fails before: whoever
 * watches the socket knows that.
 */
export async function readExactly(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(count);
    // At the end of the stream there may be fewer.
    if (bytes !== null && bytes.length === count) return bytes;
    await readable(socket);
  }
}

/** Reads what is there, or what comes next. */
export async function readSome(socket: Socket): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read();
    if (bytes !== null) return bytes;
    await readable(socket);
  }
}

function readable(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('readable', resolve));
}
