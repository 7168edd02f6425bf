import type { IncomingMessage } from 'node:http';

/** The header of a request as it was sent, but without an `Upgrade` that nobody takes up: Node reads the request again. */
export function headerWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let lines = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    const lower = name.toLowerCase();
    const kept = lower === 'connection' ? withoutUpgrade(value) : value;
    if (lower !== 'upgrade' && (kept !== '' || value === '')) lines += `${name}: ${kept}\r\n`;
  }
  return Buffer.from(`${lines}\r\n`, 'latin1');
}

function withoutUpgrade(value: string): string {
  return value
    .split(',')
    .filter((name) => name.trim().toLowerCase() !== 'upgrade')
    .join(',')
    .trim();
}
