import type { OnReadOpts, Socket } from 'node:net';

const SIZE = 64 * 1024;
/** A stream whose reads are shorter than this gives its buffer back. */
const SHORT = SIZE / 4;
/** So many buffers that nobody uses are kept. */
const MOST_FREE = 16;

/** Where all connections read that do not stream: what comes is copied out at once. */
const landing: Buffer = Buffer.allocUnsafeSlow(SIZE);
const free: Buffer[] = [];
const readsOf = new WeakMap<Socket, ReusedReads>();

/**
 * How a connection to a proxy reads: into buffers that are used again. By default Node takes a new one of 64 KiB for each read, and to free
 * them is most of the work of a stream. Until `relayReads` is called, the socket is read in the usual way.
 */
export class ReusedReads implements OnReadOpts {
  readonly buffer = (): Buffer => this.#next;
  readonly callback = (count: number, buffer: Uint8Array): boolean => this.#read(count, buffer as Buffer);
  #next: Buffer = landing;
  #socket: Socket | null = null;
  #receiver: Socket | null = null;
  #onRead = (): void => {};

  attach(socket: Socket): void {
    this.#socket = socket;
    readsOf.set(socket, this);
  }

  relay(receiver: Socket, onRead: () => void): void {
    this.#receiver = receiver;
    this.#onRead = onRead;
  }

  /** False stops the reading, until the socket is resumed. */
  #read(count: number, buffer: Buffer): boolean {
    const socket = this.#socket;
    const receiver = this.#receiver;
    const bytes = buffer.subarray(0, count);
    if (socket === null) return false;
    // What has come before is passed on before.
    if (receiver === null || socket.readableLength > 0 || socket.isPaused()) {
      this.#next = landing;
      return socket.push(Buffer.from(bytes));
    }
    this.#onRead();
    const mayGoOn =
      buffer === landing ? receiver.write(Buffer.from(bytes)) : this.#write(receiver, bytes, buffer);
    // After a full buffer there is more.
    if (buffer === landing && count === SIZE) this.#next = taken();
    if (!mayGoOn) socket.pause();
    return mayGoOn;
  }

  #write(receiver: Socket, bytes: Buffer, buffer: Buffer): boolean {
    let isOurs = true;
    const mayGoOn = receiver.write(bytes, (error) => {
      if (!isOurs && error == null) giveBack(buffer);
    });
    // Else the system has all of it already.
    if (receiver.writableLength > 0) isOurs = false;
    if (bytes.length < SHORT) {
      this.#next = landing;
      if (isOurs) giveBack(buffer);
    } else if (!isOurs) this.#next = taken();
    return mayGoOn;
  }
}

/**
 * Writes what a socket reads to another one, without a way through its stream. What its stream has already is not touched: the caller
 * passes that on. A socket that reads in another way stays as it is.
 *
 * @param onRead called before each write.
 */
export function relayReads(socket: Socket, receiver: Socket, onRead: () => void): void {
  readsOf.get(socket)?.relay(receiver, onRead);
}

function taken(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
}

function giveBack(buffer: Buffer): void {
  if (free.length < MOST_FREE) free.push(buffer);
}
