/**
 * What gets past the strict parser of `node:http` and past our rules together. The parser lets more through than one may expect: the
 * tables say what, so that a new version of Node that lets more or less through shows here.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endToEndHeaders } from '../../src/gateway/end-to-end-headers.ts';
import { framingProblem } from '../../src/gateway/framing.ts';
import { type Ask, type Seen, startStrictParser } from '../support/raw-http.ts';
import { mutatedEncodings, mutatedLengths } from './mutated-framing.ts';

const LINE = 'POST http://a.example/ HTTP/1.1\r\n';
const HOST = 'Host: a.example\r\n';
/** As chunks, it is over at once; with a length, or without a body, there is a second request in it. */
const BODY = '0\r\n\r\nGET http://b.example/smuggled HTTP/1.1\r\nHost: b.example\r\n\r\n';

const problemOf = ({ rawHeaders, method, httpVersion }: Seen): string | null =>
  framingProblem(rawHeaders, method, httpVersion);

const valuesOf = ({ rawHeaders }: Seen, wanted: RegExp): string[] =>
  rawHeaders.filter((_, at) => at % 2 === 1 && wanted.test(rawHeaders[at - 1] ?? ''));

/** Who refuses the first request of these bytes: the parser, our rules, or nobody. */
async function refuserOf(ask: Ask, bytes: string): Promise<'parser' | 'rules' | 'nobody'> {
  const [first] = await ask(bytes);
  if (first === undefined) return 'parser';
  return problemOf(first) === null ? 'nobody' : 'rules';
}

describe('Transfer-Encoding', () => {
  it('is exactly chunked, once, after the parser and the rules, for any mutation', async () => {
    const ask = await startStrictParser();
    const runs = 1500;
    const counts = { parser: 0, rules: 0, nobody: 0 };
    await fc.assert(
      fc.asyncProperty(mutatedEncodings, async (headers) => {
        const [first] = await ask(`${LINE}${HOST}${headers}\r\n${BODY}`);
        const problem = first === undefined ? null : problemOf(first);
        counts[first === undefined ? 'parser' : problem === null ? 'nobody' : 'rules']++;
        if (first === undefined || problem !== null) return;
        const codings = valuesOf(first, /^transfer-encoding$/i).map((value) => value.toLowerCase());
        expect(codings).toEqual(codings.length === 0 ? [] : ['chunked']);
        // What leaves is framed by us: nothing is left that another server could read so.
        const names = endToEndHeaders(first.rawHeaders).filter((_, at) => at % 2 === 0);
        for (const name of names) expect(name.replace(/[^a-z]/gi, '')).not.toMatch(/^transferencoding$/i);
      }),
      { numRuns: runs },
    );
    // Each of the three does something, and none of them everything.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(runs / 50);
  });

  it.each([
    ['chunked', 'nobody'],
    ['CHUNKED', 'nobody'],
    ['\tchunked \t', 'nobody'],
    ['identity', 'rules'],
    ['identity, chunked', 'rules'],
    ['gzip, chunked', 'rules'],
    [',chunked', 'rules'],
    ['xchunked', 'rules'],
    ['chunked;', 'rules'],
    ['chunked;q=1', 'rules'],
    ['"chunked"', 'rules'],
    ["'chunked'", 'rules'],
    ['chun ked', 'rules'],
    ['chunked\x85', 'rules'],
    ['identity\r\nTransfer-Encoding: chunked', 'rules'],
    ['chunked\r\nTransfer_Encoding: chunked', 'rules'],
    ['chunked, identity', 'parser'],
    ['chunked, chunked', 'parser'],
    ['chunked,', 'parser'],
    ['chunked\r\nTransfer-Encoding: chunked', 'parser'],
    // llhttp before 9.4, as in Node 22.14, lets these two through.
    ['\r\nTransfer-Encoding: chunked', 'parser or rules'],
    ['', 'parser or rules'],
    ['\x0bchunked', 'parser'],
    ['chunked\0', 'parser'],
    ['\r\n chunked', 'parser'],
    ['\n chunked', 'parser'],
    ['chunked\r', 'parser'],
  ])('%j: %s refuses it', async (value, refuser) => {
    const ask = await startStrictParser();
    const bytes = `${LINE}${HOST}Transfer-Encoding: ${value}\r\n\r\n${BODY}`;
    expect(refuser.split(' or ')).toContain(await refuserOf(ask, bytes));
  });
});

describe('Content-Length', () => {
  it('is one plain number after the parser and the rules, for any mutation', async () => {
    const ask = await startStrictParser();
    await fc.assert(
      fc.asyncProperty(mutatedLengths, async (headers) => {
        const [first] = await ask(`${LINE}${HOST}${headers}\r\nhello`);
        if (first === undefined || problemOf(first) !== null) return;
        const lengths = valuesOf(first, /^content-length$/i);
        expect(lengths.length).toBeLessThanOrEqual(1);
        for (const length of lengths) {
          expect(String(Number(length))).toBe(length);
          expect(Number.isSafeInteger(Number(length))).toBe(true);
          expect(valuesOf(first, /^transfer-encoding$/i)).toEqual([]);
        }
      }),
      { numRuns: 800 },
    );
  });

  it.each([
    ['5', 'nobody'],
    ['5 ', 'nobody'],
    // llhttp before 9.4 refuses a tab after the number.
    ['\t5\t', 'parser or nobody'],
    ['0', 'nobody'],
    ['05', 'rules'],
    ['00', 'rules'],
    ['9007199254740993', 'rules'],
    ['18446744073709551615', 'rules'],
    ['18446744073709551616', 'parser'],
    ['', 'parser'],
    ['+5', 'parser'],
    ['-5', 'parser'],
    ['0x5', 'parser'],
    ['5, 5', 'parser'],
    ['5 5', 'parser'],
    ['1_0', 'parser'],
    ['5e0', 'parser'],
    ['5\r\nContent-Length: 5', 'parser'],
    ['5\r\nContent-Length: 6', 'parser'],
    ['5\r\nTransfer-Encoding: chunked', 'parser'],
    ['5\r\nTransfer-Encoding: identity', 'parser'],
    ['5\r\ncontent_length: 6', 'rules'],
  ])('%j: %s refuses it', async (value, refuser) => {
    const ask = await startStrictParser();
    const bytes = `${LINE}${HOST}Content-Length: ${value}\r\n\r\nhello`;
    expect(refuser.split(' or ')).toContain(await refuserOf(ask, bytes));
  });
});

describe('other ways to make two requests of one', () => {
  it.each([
    ['obs-fold', `${LINE}${HOST}A: b\r\n c\r\n\r\n`, 'parser'],
    ['obs-fold of the first header', `${LINE} A: b\r\n${HOST}\r\n`, 'parser'],
    ['a bare LF after a header', `${LINE}${HOST}A: b\nC: d\r\n\r\n`, 'parser'],
    ['a bare LF at the end', `${LINE}${HOST}A: b\r\n\n`, 'parser'],
    ['bare LFs alone', `${LINE}${HOST}\r\n`.replaceAll('\r', ''), 'parser'],
    ['a bare CR', `${LINE}${HOST}A: b\rC: d\r\n\r\n`, 'parser'],
    ['a space before the colon', `${LINE}${HOST}A : b\r\n\r\n`, 'parser'],
    ['a space before the colon of Content-Length', `${LINE}${HOST}Content-Length : 5\r\n\r\nhello`, 'parser'],
    ['NUL in a value', `${LINE}${HOST}A: b\0\r\n\r\n`, 'parser'],
    ['NUL in a name', `${LINE}${HOST}A\0: b\r\n\r\n`, 'parser'],
    ['DEL in a value', `${LINE}${HOST}A: \x7f\r\n\r\n`, 'parser'],
    ['a header without a name', `${LINE}${HOST}: b\r\n\r\n`, 'parser'],
    ['a header without a colon', `${LINE}${HOST}A\r\n\r\n`, 'parser'],
    ['no Host', `${LINE}\r\n`, 'parser'],
    ['no Host in HTTP/1.0', `${LINE.replace('1.1', '1.0')}\r\n`, 'nobody'],
    ['two Hosts', `${LINE}${HOST}Host: b.example\r\n\r\n`, 'rules'],
    ['the same Host twice', `${LINE}${HOST}${HOST}\r\n`, 'rules'],
    ['an empty Host', `${LINE}Host:\r\n\r\n`, 'rules'],
    ['a Host with a login', `${LINE}Host: u:p@a.example\r\n\r\n`, 'rules'],
    ['a Host with a path', `${LINE}Host: a.example/b\r\n\r\n`, 'rules'],
    ['two names in Host', `${LINE}Host: a.example, b.example\r\n\r\n`, 'rules'],
    ['a space in Host', `${LINE}Host: a.example b\r\n\r\n`, 'rules'],
    ['a Host of another case, with its default port', `${LINE}Host: A.EXAMPLE:80\r\n\r\n`, 'nobody'],
    ['HTTP/0.9 with headers', `${LINE.replace('1.1', '0.9')}${HOST}\r\n`, 'rules'],
    ['HTTP/0.9', 'GET http://a.example/\r\n\r\n', 'rules'],
    ['HTTP/2.0', `${LINE.replace('1.1', '2.0')}${HOST}\r\n`, 'rules'],
    ['HTTP/1.2', `${LINE.replace('1.1', '1.2')}${HOST}\r\n`, 'parser'],
    [
      'chunked in HTTP/1.0',
      `${LINE.replace('1.1', '1.0')}${HOST}Transfer-Encoding: chunked\r\n\r\n${BODY}`,
      'rules',
    ],
    [
      'an Upgrade with a length',
      `${LINE}${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
      'rules',
    ],
    [
      'an Upgrade with chunks',
      `${LINE}${HOST}Connection: x, upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n${BODY}`,
      'rules',
    ],
    [
      'an Upgrade',
      `${LINE}${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n`,
      'nobody',
    ],
    [
      'an Upgrade that Connection does not name, which is no upgrade',
      `${LINE}${HOST}Upgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
      'nobody',
    ],
    ['CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', 'nobody'],
    [
      'CONNECT with a length',
      'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 5\r\n\r\nhello',
      'rules',
    ],
    [
      'CONNECT with chunks',
      `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nTransfer-Encoding: chunked\r\n\r\n${BODY}`,
      'rules',
    ],
    ['TRACE with a body', `${LINE.replace('POST', 'TRACE')}${HOST}Content-Length: 5\r\n\r\nhello`, 'rules'],
  ] as const)('%s', async (_, bytes, refuser) => {
    const ask = await startStrictParser();
    expect(refuser.split(' or ')).toContain(await refuserOf(ask, bytes));
  });
});
