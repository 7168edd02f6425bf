import { namedByConnection, valuesOf } from '../raw-headers.ts';
import type { AnswerHead } from './answer-head.ts';

/** Where the body of an answer ends: after so many bytes, with its last chunk, or with the connection. */
export type BodyEnd = number | 'chunked' | 'close';

/** As many digits as a number in JavaScript has exactly. */
const LENGTH = /^\d{1,15}$/;

/**
 * Says where the body of an answer ends (RFC 9112, 6.3); null if programs could differ on that.
 *
 * @param method of the request.
 */
export function bodyEnd({ status, rawHeaders }: AnswerHead, method: string): BodyEnd | null {
  const lengths = valuesOf(rawHeaders, 'content-length');
  const codings = valuesOf(rawHeaders, 'transfer-encoding');
  if (lengths.length + codings.length > 1) return null;
  const [length] = lengths;
  const [coding] = codings;
  if (length !== undefined && !LENGTH.test(length)) return null;
  // Whoever gets another coding would not know of it: the header is for one hop.
  if (coding !== undefined && !/^chunked$/i.test(coding)) return null;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return 'chunked';
  return length === undefined ? 'close' : Number(length);
}

/** Whether nothing may follow an answer on its connection. */
export function isLast({ rawHeaders, isOld }: AnswerHead): boolean {
  const named = namedByConnection(rawHeaders);
  return named.has('close') || (isOld && !named.has('keep-alive'));
}

/**
 * How long a connection may be kept after an answer, in milliseconds; 0 if not at all.
 *
 * @param mostMs if the answer does not say less.
 */
export function keptMs(head: AnswerHead, mostMs: number): number {
  if (isLast(head)) return 0;
  const { rawHeaders, isOld } = head;
  // HTTP/1.0 has no chunks: whoever uses them there may mean anything (RFC 9112, 6.1).
  if (isOld && valuesOf(rawHeaders, 'transfer-encoding').length > 0) return 0;
  const [hint = ''] = valuesOf(rawHeaders, 'keep-alive');
  const seconds = /(?:^|[\s,;])timeout=(\d+)/i.exec(hint)?.[1];
  // The other end counts from before we do.
  return seconds === undefined ? mostMs : Math.min(mostMs, Math.max(0, Number(seconds) * 1000 - 1000));
}
