import type { ProxyConfig, ProxyStatus, ProxyUpdate } from '../database/index.ts';

/**
 * What a person changes who gives a proxy a status. One that is made active begins to count its failures again, or its next
 * failure would take it out at once.
 */
export function statusUpdate(before: ProxyConfig, status: ProxyStatus): ProxyUpdate {
  return status === 'active' && before.status !== status ? { status, failureCount: 0 } : { status };
}
