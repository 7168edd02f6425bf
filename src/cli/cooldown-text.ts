import type { CooldownView } from '../views/cooldowns.ts';

/** What of a proxy's traffic a cooldown is about. */
export function partOf({ domain, session }: Pick<CooldownView, 'domain' | 'session'>): string {
  if (domain !== null) return domain;
  return session === null ? 'everything' : `session ${session}`;
}

/** Why a proxy is out, such as `blocked, status 429`. */
export function whyOf({ kind, detail }: Pick<CooldownView, 'kind' | 'detail'>): string {
  return detail === null ? kind : `${kind}, ${detail}`;
}

/** When a cooldown ends, for a table. */
export function untilOf({ until, kind }: Pick<CooldownView, 'until' | 'kind'>): string {
  return until ?? (kind === 'auth' ? 'a new login' : 'a reset');
}

/** A cooldown in words, such as `out for shop.example until 12:03:10 UTC (blocked, status 429)`. */
export function outOf(
  cooldown: Pick<CooldownView, 'domain' | 'session' | 'until' | 'kind' | 'detail'>,
  now: number,
): string {
  const { domain, session, until } = cooldown;
  const part = domain === null && session === null ? '' : ` for ${partOf(cooldown)}`;
  const end = until === null ? untilOf(cooldown) : timeOf(until, now);
  return `out${part} until ${end} (${whyOf(cooldown)})`;
}

/** A time of the same day (UTC) without the day. */
export function timeOf(iso: string, now: number): string {
  const [day = '', time = ''] = iso.split('T');
  const short = `${time.slice(0, 8)} UTC`;
  return new Date(now).toISOString().startsWith(day) ? short : `${day} ${short}`;
}
