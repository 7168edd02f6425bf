/** Headers that say where a body ends, with faults. Each character is one byte. */
import fc from 'fast-check';

/** Mostly as it should be, so that most mutations have one fault and not several. */
const mostly = (usual: string, ...odd: string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, fc.constantFrom(...odd));
const BLANKS = mostly('', ' ', '\t', '  ', '\x0b', '\x0c', '\0', '\r\n ', '\r\n\t', '\n ', '\r', '\xa0');
const NAMES = mostly(
  'Transfer-Encoding',
  'transfer-encoding',
  'TRANSFER-ENCODING',
  'tRANSFER-eNCODING',
  'Transfer_Encoding',
  'Transfer--Encoding',
  'TransferEncoding',
  'Transfer.Encoding',
  'X-Transfer-Encoding',
  'Transfer-Encoding-X',
  ' Transfer-Encoding',
  'Transfer-Encoding ',
  'Transfer-Encoding\t',
  'Transfer-Encoding\0',
  'Transfer-\r\n Encoding',
  'TE',
);
const CODING = fc.constantFrom(
  'chunked',
  'Chunked',
  'CHUNKED',
  'chunKed',
  'xchunked',
  'chunkedx',
  'chunk',
  'chunked;',
  'chunked;a=b',
  'chunked; ',
  '"chunked"',
  "'chunked'",
  '(chunked)',
  'chun\tked',
  'chun\0ked',
  'chunked\x01',
  'chunked\x7f',
  'chunked\xff',
  'ch\xfcnked',
  'identity',
  'gzip',
  'deflate',
  'compress',
  'trailers',
  'cow',
  '',
  'null',
  '0',
);
const SEPARATOR = mostly(', ', ',', ' ,', ',,', ';', ' ', '\t', ',\r\n ', '|');

const values = fc
  .array(fc.tuple(BLANKS, CODING, BLANKS), { minLength: 1, maxLength: 3 })
  .chain((parts) =>
    fc
      .array(SEPARATOR, { minLength: parts.length, maxLength: parts.length })
      .map((separators) =>
        parts.map((part, at) => part.join('') + (at < parts.length - 1 ? separators[at] : '')).join(''),
      ),
  );
const plainly = fc.tuple(BLANKS, CODING, BLANKS).map((part) => part.join(''));
const line = fc
  .tuple(
    NAMES,
    mostly(': ', ':', ' :', ':\t', '::', ':  ', ''),
    fc.oneof(plainly, values, fc.constant('chunked')),
    mostly('\r\n', '\n', '\r', '\r\r\n', '\0\r\n'),
  )
  .map((parts) => parts.join(''));
/** Lines of headers around `Transfer-Encoding`, most with one fault. */
export const mutatedEncodings = fc
  .array(line, { minLength: 1, maxLength: 2 })
  .chain((lines) =>
    fc
      .constantFrom('', 'Content-Length: 5\r\n', 'Connection: Transfer-Encoding\r\n')
      .map((other) => lines.join('') + other),
  );

const LENGTH = fc.oneof(
  fc.constantFrom(
    '5',
    '05',
    '+5',
    '-5',
    '0x5',
    '5, 5',
    '5,5',
    '5 5',
    '5;',
    '',
    ' ',
    '5.0',
    '5e0',
    '1_0',
    '5\0',
  ),
  fc.constantFrom('9007199254740992', '9007199254740993', '18446744073709551615', '99999999999999999999999'),
  fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
  fc.stringMatching(/^[\d \t+,x-]{0,6}$/),
);
/** Lines of headers around `Content-Length`. */
export const mutatedLengths = fc
  .array(
    fc
      .tuple(
        fc.constantFrom(
          'Content-Length',
          'content-length',
          'Content_Length',
          'Content-Length ',
          'Transfer-Encoding',
        ),
        fc.constantFrom(':', ': ', ' : '),
        BLANKS,
        LENGTH,
        BLANKS,
      )
      .map(
        ([name, colon, ...value]) =>
          `${name}${colon}${name.startsWith('T') ? 'chunked' : value.join('')}\r\n`,
      ),
    { minLength: 1, maxLength: 2 },
  )
  .map((lines) => lines.join(''));

/** Lines between other headers that some parsers read as two, as none or as another one. */
export const oddLines = fc.constantFrom(
  '',
  'A: b\r\n c\r\n',
  'A: b\n',
  'A: b\nContent-Length: 5\r\n',
  'A: b\rContent-Length: 5\r\n',
  'A : b\r\n',
  'A: \0b\r\n',
  'A\r\n',
  ': b\r\n',
  'Host: b.example\r\n',
  'Host: a.example\r\n',
  'Connection: Host\r\n',
  'Connection: Content-Length\r\n',
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
  'Trailer: Content-Length\r\n',
  'TE: trailers\r\n',
  'X-Proxyvault-Session: a\r\n',
  'X-Proxyvault-Unknown: a\r\n',
  'Proxy-Authorization: Basic c2Vzc2lvbi1hOg==\r\n',
);
