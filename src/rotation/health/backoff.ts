import type { CooldownKind } from '../../model/outcomes.ts';
import type { HealthSettings } from '../../model/pool-options.ts';

/** Beyond this many doublings every option's limit is reached. */
const DOUBLINGS = 40;

/** How long a proxy stays out that goes out for the `times`-th time in a row, in whole milliseconds. */
export function backoff(
  settings: HealthSettings,
  random: () => number,
  kind: CooldownKind,
  times: number,
): number {
  const { cooldownMs, maxCooldownMs, blockedMs, jitter } = settings;
  const doubled = 2 ** Math.min(times - 1, DOUBLINGS);
  const time =
    kind === 'blocked'
      ? Math.min(blockedMs * doubled, Math.max(maxCooldownMs, blockedMs))
      : // Envoy multiplies by the number of ejections (base_ejection_time); the other kinds double, as a circuit breaker does.
        Math.min(cooldownMs * (kind === 'outlier' ? times : doubled), maxCooldownMs);
  return Math.round(time * (1 + jitter * random()));
}

/** How long a target or a proxy asks to wait, or null if it does not. */
export function askedTime(settings: HealthSettings, retryAfterMs: number | undefined): number | null {
  if (retryAfterMs === undefined || !(retryAfterMs > 0)) return null;
  return Math.ceil(Math.min(retryAfterMs, settings.maxRetryAfterMs));
}
