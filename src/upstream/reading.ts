import type { Socket } from 'node:net';

/**
 * Reads exactly so many bytes; what comes after them stays in the socket. Never settles if the socket ends or fails before: whoever
 * watches the socket knows that.
 */
export async function readExactly(socket: Socket, count: number): Promise<Buffer> {
  let bytes = await readSome(socket);
  while (bytes.length < count) bytes = Buffer.concat([bytes, await readSome(socket)]);
  if (bytes.length > count) socket.unshift(bytes.subarray(count));
  return bytes.subarray(0, count);
}

/**
 * Reads all that is there, or what comes next. It never asks for more than there is: a stream with a rest tells its reader of it again
 * and again, and nothing else would have a turn.
 */
export async function readSome(socket: Socket): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read();
    if (bytes !== null) return bytes;
    await new Promise<void>((resolve) => void socket.once('readable', resolve));
  }
}
