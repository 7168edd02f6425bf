import { randomFillSync } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const ID_BYTES = 16;
const pool = Buffer.alloc(ID_BYTES * 256);
let used = pool.length;
let milliseconds = 0;
let sequence = 0;

/**
 * A new UUIDv7 (RFC 9562), greater than all that this process made before. Its random bytes are drawn many at a time: each
 * draw is a call to the operating system.
 */
export function newId(): string {
  const random = drawBytes();
  const now = Date.now();
  if (now > milliseconds) {
    milliseconds = now;
    // RFC 9562, section 6.2: the counter begins at random with its highest bit free.
    sequence = random.readUInt32BE(0) & 0x7fff_ffff;
  } else if (++sequence > 0xffff_ffff) {
    sequence = 0;
    milliseconds++;
  }
  return uuidv7({ random, msecs: milliseconds, seq: sequence });
}

function drawBytes(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.subarray(used - ID_BYTES, used);
}
