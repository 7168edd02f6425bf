import { cooldownViewer } from '../../../../views/cooldowns.ts';
import { partOf } from '../../../cooldown-text.ts';
import { table } from '../../../output.ts';
import { text } from '../../../terminal.ts';
import { countsOf, eventTable } from '../../events.ts';
import type { Stage } from '../stage.ts';
import { line, say } from '../story.ts';

const SHOWN_EVENTS = 5;

/** Cooldowns, usage and events, as they are stored. */
export function learned({ world, vault, news, nameOf, gateway }: Stage): void {
  vault.pool.flush();
  say('Who went out, and who came back');
  line(news.table());

  say('Usage, as the pool has stored it, and what the proxies themselves saw');
  const cooldownsOf = cooldownViewer(vault);
  const rows = vault.proxies.findAll().map(({ id, name, totalRequests, successRate, latency }) => {
    const out = cooldownsOf(id).filter(({ state }) => state === 'cooling');
    const now = out.length === 0 ? 'ready' : `out for ${out.map(partOf).join(', ')}`;
    const { connections, requests, tunnels } = world.upstream(name).seen;
    return [name, now, totalRequests, Math.round(successRate), latency, connections, requests + tunnels];
  });
  line(table(['PROXY', 'NOW', 'REQUESTS', 'SUCCESS %', 'LATENCY MS', 'SAW CONNECTIONS', 'SENT ON'], rows));
  const { ok, failed, failedAttempts, failovers, bytesIn } = gateway.stats();
  line(
    `The gateway: ${ok} requests served, ${failed} failed, ${failovers} served after ${failedAttempts} failed attempts, ${bytesIn} bytes to clients.`,
  );

  say('Events, newest first');
  const events = vault.events.recent(SHOWN_EVENTS).map((event) => ({
    ...event,
    previousProxyId: event.previousProxyId && nameOf(event.previousProxyId),
    newProxyId: event.newProxyId && nameOf(event.newProxyId),
  }));
  line(text`${eventTable(events)}\n${countsOf(vault.events.countByReason())}`);
}
