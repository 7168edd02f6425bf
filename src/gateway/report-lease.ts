import type { Lease } from '../rotation/index.ts';

/**
 * Reports a lease, unless the client has reported it, who knows more. The lease ends in any case: one that nobody ends would keep its proxy
 * for ever.
 *
 * @param onUnstored called with the error of a report that was not taken.
 */
export function reportLease(lease: Lease, report: () => void, onUnstored: (error: unknown) => void): void {
  try {
    if (lease.state === 'held') report();
  } catch (error) {
    onUnstored(error);
  }
  try {
    lease[Symbol.dispose]();
  } catch (error) {
    onUnstored(error);
  }
}
