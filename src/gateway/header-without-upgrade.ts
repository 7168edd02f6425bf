import type { IncomingMessage } from 'node:http';

/** The header of a request as it was sent, but without an `Upgrade` that nobody takes up: Node reads the request again. */
export function headerWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let lines = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // That `Connection` names it too makes no upgrade, and does not leave.
    if (name.toLowerCase() !== 'upgrade') lines += `${name}: ${rawHeaders[at + 1]}\r\n`;
  }
  return Buffer.from(`${lines}\r\n`, 'latin1');
}
