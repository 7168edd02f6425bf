import { formatAddress } from '../lists/index.ts';
import { kindOfStatus } from '../model/outcomes.ts';
import { retryAfterMs } from '../model/retry-after.ts';
import { basicLogin } from './basic-login.ts';
import type { Handshake } from './handshake.ts';
import { proxyFailed } from './proxy-failed.ts';
import { readSome } from './reading.ts';
import type { Target, Upstream } from './upstream.ts';

/** The longest answer, with the answers of 1xx that come before it. */
const MAX_ANSWER = 16 * 1024;

const BEGINNING = Buffer.from('HTTP/1.');
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?$/;
const RETRY_AFTER = /^retry-after:[ \t]*(.*?)[ \t]*$/im;

/** Asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6). */
export function httpHandshake(upstream: Upstream, target: Target, via?: string): Handshake {
  const authority = formatAddress(target);
  const login = basicLogin(upstream);
  const authorization = login === null ? '' : `Proxy-Authorization: ${login}\r\n`;
  const passed = via === undefined ? '' : `Via: 1.1 ${via}\r\n`;
  const request = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}${passed}\r\n`;
  return async (socket) => {
    socket.write(request, 'latin1');
    let answer: Buffer = Buffer.alloc(0);
    let skipped = 0;
    for (;;) {
      answer = Buffer.concat([answer, await readSome(socket)]);
      for (;;) {
        assertHttp(upstream, answer);
        const end = endOfHead(answer);
        if (skipped + (end === -1 ? answer.length : end) > MAX_ANSWER)
          throw garbage(upstream, `its answer is longer than ${MAX_ANSWER} bytes`);
        if (end === -1) break;
        const status = statusOf(upstream, answer.toString('latin1', 0, end));
        answer = answer.subarray(end);
        if (status >= 200) {
          if (answer.length > 0) socket.unshift(answer);
          return;
        }
        skipped += end;
      }
    }
  };
}

/** @throws PROXY_FAILED, unless it is an answer of 2xx, or of 1xx that another one follows. */
function statusOf(upstream: Upstream, head: string): number {
  const [line = ''] = head.split(/\r?\n/, 1);
  const status = Number(STATUS_LINE.exec(line)?.[1]);
  if (Number.isNaN(status)) throw garbage(upstream, 'its answer is not HTTP');
  if (status >= 100 && status < 300 && status !== 101) return status;
  const kind = kindOfStatus(status) ?? 'status';
  const retryAfter = RETRY_AFTER.exec(head)?.[1];
  const why =
    status === 407
      ? 'it rejected the login (407). Correct its username and password.'
      : `it answered ${status}. Try another proxy, or ask its provider.`;
  throw proxyFailed(upstream, kind, 'handshake', why, {
    status,
    retryAfterMs: retryAfter === undefined ? undefined : retryAfterMs(retryAfter),
  });
}

/** Whoever does not speak HTTP is known by the first bytes; to wait for more would end in a timeout. */
function assertHttp(upstream: Upstream, answer: Buffer): void {
  const length = Math.min(answer.length, BEGINNING.length);
  if (answer.compare(BEGINNING, 0, length, 0, length) !== 0)
    throw garbage(upstream, 'its answer is not HTTP');
}

/** Where the head of an answer ends, with its empty line; -1 if that has not come yet. */
function endOfHead(answer: Buffer): number {
  const strict = answer.indexOf('\r\n\r\n');
  const bare = answer.indexOf('\n\n');
  if (strict === -1) return bare === -1 ? -1 : bare + 2;
  return bare === -1 || strict < bare ? strict + 4 : bare + 2;
}

function garbage(upstream: Upstream, what: string): Error {
  return proxyFailed(upstream, 'protocol', 'handshake', `${what}. Check its protocol.`);
}
