import { hash } from 'node:crypto';

import type { RevealedProxy } from '../revealed-proxy.ts';

/** What tells the address and the login of a proxy from those of others, and shows neither. */
const marks = new WeakMap<RevealedProxy, string>();

/** The key of a connection: the same for the same proxy, login, user and session only. It shows no login. */
export function reuseKey(proxy: RevealedProxy, identity: readonly string[]): string {
  return `${markOf(proxy)} ${JSON.stringify(identity)}`;
}

function markOf(revealed: RevealedProxy): string {
  const known = marks.get(revealed);
  if (known !== undefined) return known;
  const { protocol, host, port, username, password } = revealed;
  const mark = hash('sha256', JSON.stringify([protocol, host, port, username, password]), 'base64');
  marks.set(revealed, mark);
  return mark;
}
