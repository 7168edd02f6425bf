// The bytes that both ends of gateway.js know, so that what arrives is checked.

/** Sent again and again by a bulk stream. */
export const PATTERN = Buffer.alloc(65_536);
for (let n = 0; n < PATTERN.length; n++) PATTERN[n] = (n * 31 + (n >> 8)) & 0xff;

/** The body of each answer to a GET. */
export const BODY = PATTERN.subarray(0, 1024);

const HEAD = [
  'HTTP/1.1 200 OK',
  'Content-Type: application/octet-stream',
  'Date: Thu, 01 Jan 2026 00:00:00 GMT',
  'ETag: "a-version"',
  `Content-Length: ${BODY.length}`,
  '',
  '',
].join('\r\n');
export const ANSWER = Buffer.concat([Buffer.from(HEAD), BODY]);

/** What is sent through a tunnel, and comes back. */
export const PING = PATTERN.subarray(100, 164);
