import { lines } from '../../../terminal.ts';
import { type Stage, served } from '../stage.ts';
import { line, say } from '../story.ts';

/** The gateway sees no status inside of a tunnel: the client reports it by the lease. */
export async function reportByLease(stage: Stage): Promise<void> {
  const { gateway, vault, news } = stage;
  say('Inside of a tunnel only the client sees a 429: it reports it by the lease of the tunnel');
  const asked = { port: gateway.port, username: 'session-cart19' };
  const { status, lease } = await served(stage, { ...asked, url: 'https://shop.example/status/429' });
  if (lease !== null) vault.pool.reportLease(lease, { status, retryAfterMs: 60_000 });
  const { by } = await served(stage, { ...asked, url: 'https://shop.example/' });
  line(
    lines([
      `https://shop.example/status/429 answered ${status}. The header X-Proxyvault-Lease had the lease: proxyvault report LEASE --status ${status}`,
      `So ${news.last}, and the session asks shop.example through ${by}.`,
    ]),
  );
}
