import { request as httpRequest } from 'node:http';
import { Duplex } from 'node:stream';

/** An answer as a reader sees it. */
export interface Read {
  status: number;
  reason: string;
  rawHeaders: readonly string[];
  /** A character for each byte. */
  body: string;
}

/** What the strict parser of `node:http` makes of the bytes of an answer and their end; null if it refuses them or misses some. */
export function nodeReads(bytes: string, method: string): Promise<Read | null> {
  let isAnswered = false;
  const socket = new Duplex({
    read() {},
    write(_, __, done) {
      if (!isAnswered) {
        isAnswered = true;
        this.push(Buffer.from(bytes, 'latin1'));
        this.push(null);
      }
      done();
    },
  });
  return new Promise((resolve) => {
    const request = httpRequest({
      method,
      insecureHTTPParser: false,
      createConnection: () => socket,
      headers: { Connection: 'keep-alive' },
    });
    let hasAnswer = false;
    request
      .on('error', () => resolve(null))
      .once('close', () => {
        if (!hasAnswer) resolve(null);
      })
      .once('upgrade', () => resolve(null))
      .once('response', (answer) => {
        hasAnswer = true;
        let body = '';
        answer
          .setEncoding('latin1')
          .on('data', (text: string) => {
            body += text;
          })
          .on('error', () => resolve(null))
          .once('close', () => {
            const { statusCode: status = 0, statusMessage: reason = '', rawHeaders, complete } = answer;
            resolve(complete ? { status, reason, rawHeaders, body } : null);
          });
      });
    request.end();
  });
}
