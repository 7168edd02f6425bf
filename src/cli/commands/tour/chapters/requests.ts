import type { RequestLog } from '../../../../gateway/index.ts';
import { table } from '../../../output.ts';
import { type Stage, served } from '../stage.ts';
import { line, say } from '../story.ts';

const REQUESTS = 12;

/** HTTP and SOCKS5 clients ask HTTP and HTTPS websites, and every proxy is tried. */
export async function mixedRequests(stage: Stage): Promise<void> {
  say('HTTP and SOCKS5 clients ask two websites: if a proxy fails, the next one serves the request');
  const { port } = stage.gateway;
  const rows = [];
  for (let number = 1; number <= REQUESTS; number++) {
    const url = `${number % 4 < 2 ? 'https://shop' : 'http://news'}.example/${number}`;
    const client = number % 2 === 0 ? 'socks5' : 'http';
    const { status, by, log } = await served(stage, { url, by: client, port });
    rows.push([url, client, status, by, triedOf(stage, log)]);
  }
  line(table(['REQUEST', 'CLIENT', 'STATUS', 'SERVED BY', 'FAILED BEFORE'], rows));
}

function triedOf({ nameOf }: Stage, { tried = [] }: RequestLog): string {
  const attempts = tried.map(({ proxy, kind, status, ms }) => {
    const what = status === undefined ? kind : `${kind} ${status}`;
    return `${nameOf(proxy)}: ${what} after ${ms} ms`;
  });
  return attempts.join(', ');
}
