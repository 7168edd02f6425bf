import type { Duplex, Transform } from 'node:stream';

import type { Seen } from './counts.ts';

/** Sends on what comes, both ways, until both sides have ended or one has broken. `through` is between the target and the client. */
export function relay(client: Duplex, target: Duplex, seen: Seen, through: Transform | null): void {
  client.on('data', (chunk: Buffer) => {
    seen.bytesUp += chunk.length;
  });
  target.on('data', (chunk: Buffer) => {
    seen.bytesDown += chunk.length;
  });
  client.pipe(target);
  if (through === null) target.pipe(client);
  else target.pipe(through).pipe(client);
  destroyTogether(client, target);
  destroyTogether(target, client);
}

/** What one side has sent is still delivered after a clean end; a side that breaks off takes the other with it. */
function destroyTogether(one: Duplex, other: Duplex): void {
  one.on('error', () => undefined);
  one.once('close', () => {
    if (!one.readableEnded || !one.writableFinished) other.destroy();
  });
}
