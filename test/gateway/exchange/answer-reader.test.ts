/** Answers as our reader and the strict parser of `node:http` read them: the same, or only Node's lets them through. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../../src/gateway/exchange/answer-reader.ts';
import { MALFORMED_ANSWER } from '../../../src/gateway/failures.ts';
import { nodeReads, type Read } from './node-reader.ts';

const MOST = 16_384;

/**
 * What our reader makes of an answer that comes in pieces of these sizes and ends, and how long the answer is; null if it refuses it or
 * misses some.
 */
function weRead(
  text: string,
  method: string,
  sizes: readonly number[],
): { read: Read; keptMs: number; length: number } | null {
  const reader = new AnswerReader({ method, mayUpgrade: false, onContinue: () => {} }, MOST);
  const bytes = Buffer.from(text, 'latin1');
  let head: ReturnType<AnswerReader['readHead']> = null;
  let body = '';
  const take = (piece: Buffer): void => {
    body += piece.toString('latin1');
  };
  try {
    let at = 0;
    for (let n = 0; at < bytes.length && !reader.isWhole; n++) {
      const piece = bytes.subarray(at, at + (sizes[n % sizes.length] ?? bytes.length));
      at += piece.length;
      if (head !== null) reader.readBody(piece, take);
      else {
        head = reader.readHead(piece);
        if (head !== null) reader.readBody(reader.takeRest(), take);
      }
    }
    reader.end();
    if (head === null || !reader.isWhole) return null;
    // What has not been given to it came after the answer too.
    if (at < bytes.length) reader.keep(bytes.subarray(at));
    const { status, reason, rawHeaders } = head;
    const keptMs = reader.keptMs(1000);
    return {
      read: { status, reason, rawHeaders, body },
      keptMs,
      length: bytes.length - reader.takeRest().length,
    };
  } catch (error) {
    if (error !== MALFORMED_ANSWER) throw error;
    return null;
  }
}

const ofBytes = (allowed: RegExp) => (code: number) => allowed.test(String.fromCharCode(code));
const text = (allowed: RegExp, maxLength: number) => {
  const codes = Array.from({ length: 256 }, (_, code) => code).filter(ofBytes(allowed));
  const characters = codes.map((code) => String.fromCharCode(code));
  return fc.array(fc.constantFrom(...characters), { maxLength }).map((each) => each.join(''));
};
const value = text(/[\t -~\x80-\xff]/, 12).map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ''));
const header = fc
  .tuple(
    text(/[!#$%&'*+.^_`|~\w-]/, 8),
    value,
    fc.constantFrom('', ' ', '\t '),
    fc.constantFrom('', ' ', '\t'),
  )
  .map(([name, content, before, after]) => `x-${name}:${before}${content}${after}\r\n`);
const chunked = fc
  .array(
    fc.tuple(
      text(/[\s\S]/, 20),
      fc.constantFrom('', ';a', ';a=b', ';a="b c"'),
      fc.constantFrom('', '0', '00'),
    ),
    { maxLength: 5 },
  )
  .chain((chunks) =>
    fc.constantFrom('', 'X-Trailer: 1\r\n', 'a:\r\nb: c\r\n').map((trailer) => {
      const pieces = chunks
        .filter(([piece]) => piece !== '')
        .map(
          ([piece, extension, zeros]) => `${zeros}${piece.length.toString(16)}${extension}\r\n${piece}\r\n`,
        );
      return `${pieces.join('')}0\r\n${trailer}\r\n`;
    }),
  );
/** A header that says where the body ends, and the body. */
const framed = fc.oneof(
  text(/[\s\S]/, 40).map((body) => [`Content-Length: ${body.length}\r\n`, body] as const),
  chunked.map((body) => ['Transfer-Encoding: chunked\r\n', body] as const),
  text(/[\s\S]/, 40).map((body) => ['', body] as const),
);
const answer = fc
  .record({
    before: fc.constantFrom(
      '',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
    ),
    version: fc.constantFrom('1.1', '1.1', '1.0'),
    status: fc.oneof(
      fc.constantFrom(200, 204, 206, 302, 304, 404, 429, 502),
      fc.integer({ min: 200, max: 999 }),
    ),
    reason: fc.oneof(
      fc.constantFrom('', ' ', ' OK', ' Not Found'),
      text(/[\t -~\x80-\xff]/, 8).map((each) => ` ${each}`),
    ),
    headers: fc.array(header, { maxLength: 4 }),
    framed,
    method: fc.constantFrom('GET', 'GET', 'POST', 'HEAD'),
  })
  .map(({ before, version, status, reason, headers, framed: [length, body], method }) => {
    const head = `HTTP/${version} ${status}${reason}\r\n${headers.join('')}${length}\r\n`;
    const isBodiless = method === 'HEAD' || status === 204 || status === 304;
    return { method, text: `${before}${head}${isBodiless ? '' : body}` };
  });
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });

describe('an answer as the RFC has it', () => {
  it('is read as Node reads it, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(answer, sizes, async ({ method, text: bytes }, cut) => {
        const ours = weRead(bytes, method, cut);
        expect(ours).toEqual(weRead(bytes, method, [bytes.length]));
        expect(ours?.read).toEqual(await nodeReads(bytes, method));
      }),
      { numRuns: 2000 },
    );
  });
});

/** What may be put anywhere, or in place of anything, to make two programs see two things. */
const ODDITIES = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\r\n\r\n',
  ' ',
  '\t',
  '\0',
  '\x0b',
  '\x7f',
  ':',
  ';',
  ',',
  '0',
  '-',
  '+',
  '0x',
  'a',
  ' \r\n ',
  '\r\n\tfolded',
  'Content-Length: 3\r\n',
  'Content-Length: +3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Content-Length: 3, 3\r\n',
  '0\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  '\xff',
  'HTTP/2.0 200 OK\r\n',
  '5\r\nhello\r\n',
  'ffffffffffffffff',
];
const mutated = fc
  .tuple(
    answer,
    fc.array(fc.tuple(fc.nat(400), fc.nat(3), fc.constantFrom(...ODDITIES)), { minLength: 1, maxLength: 3 }),
  )
  .map(([{ method, text: bytes }, changes]) => ({
    method,
    text: changes.reduce((before, [at, length, odd]) => {
      const from = at % (before.length + 1);
      return before.slice(0, from) + odd + before.slice(from + length);
    }, bytes),
  }));

describe('an answer that was changed anywhere', () => {
  it('is refused, or read exactly as Node reads it', async () => {
    const counts = { refused: 0, read: 0 };
    await fc.assert(
      fc.asyncProperty(mutated, sizes, async ({ method, text: bytes }, cut) => {
        const ours = weRead(bytes, method, cut);
        counts[ours === null ? 'refused' : 'read']++;
        if (ours === null) return;
        // What comes after an answer is not of it, and ends the connection.
        if (ours.length < bytes.length) expect(ours.keptMs).toBe(0);
        expect(ours.read).toEqual(await nodeReads(bytes.slice(0, ours.length), method));
      }),
      { numRuns: 6000 },
    );
    // Each of the two happens often.
    expect(Math.min(counts.refused, counts.read)).toBeGreaterThan(300);
  });
});
