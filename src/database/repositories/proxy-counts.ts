import { PROXY_STATUSES, type ProxyStatus } from '../../model/proxy.ts';
import type { Row } from '../drivers/driver.ts';

/** How many proxies have each status, and how many there are. */
export interface StatusCounts extends Record<ProxyStatus, number> {
  total: number;
}

/** Of rows `{ status, n }`. The total counts those of an unknown status too. */
export function countsOf(rows: readonly Row[]): StatusCounts {
  const counts: StatusCounts = { active: 0, failed: 0, checking: 0, disabled: 0, total: 0 };
  for (const { status, n } of rows) {
    const known = PROXY_STATUSES.find((each) => each === status);
    if (known !== undefined) counts[known] += Number(n);
    counts.total += Number(n);
  }
  return counts;
}
