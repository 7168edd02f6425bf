import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { ByteReader } from './byte-reader.ts';

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Accepts an upgrade to a WebSocket, and sends each message back. */
export async function echoWebSocket(
  { headers }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const accept = createHash('sha1')
    .update(`${headers['sec-websocket-key'] ?? ''}${GUID}`)
    .digest('base64');
  socket.on('error', () => undefined);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  const bytes = new ByteReader(socket);
  try {
    for (;;) {
      const [first = 0, second = 0] = await bytes.take(2);
      const payload = await payloadOf(bytes, second);
      const code = first & 0x0f;
      if (code !== PONG) socket.write(frame(code === PING ? (first & 0xf0) | PONG : first, payload));
      if (code === CLOSE) break;
    }
    socket.end();
  } catch {
    // The client left.
    socket.destroy();
  }
}

/** The payload of a frame of a client, which is masked. */
async function payloadOf(bytes: ByteReader, second: number): Promise<Buffer> {
  let length = second & 0x7f;
  if (length === 126) length = (await bytes.take(2)).readUInt16BE();
  else if (length === 127) length = Number((await bytes.take(8)).readBigUInt64BE());
  const mask = await bytes.take(second & 0x80 ? 4 : 0);
  const payload = Buffer.from(await bytes.take(length));
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0);
  return payload;
}

function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.of(first, length), payload]);
  const long = length > 0xffff;
  const size = Buffer.alloc(long ? 8 : 2);
  if (long) size.writeBigUInt64BE(BigInt(length));
  else size.writeUInt16BE(length);
  return Buffer.concat([Buffer.of(first, long ? 127 : 126), size, payload]);
}
