/** The repositories, one file a table. A new table is a migration, a file here, and a line below. */
export type { ProxyFilter } from '../../model/proxy.ts';
export type { RotationRuleInput } from '../../model/rules.ts';
export { ActiveProxyRepository } from './active-proxy.repository.ts';
export type { AddressedProxy } from './credential-record.ts';
export { EncryptedCredentialsRepository } from './encrypted-credentials.repository.ts';
export { ProxyRepository } from './proxy.repository.ts';
export type { ImportOptions, ImportSummary } from './proxy-import.ts';
export type { ProxyListing, ProxyPage } from './proxy-record.ts';
export { type LeavingCount, type LeavingProxy, ProxyTagsRepository } from './proxy-tags.repository.ts';
export {
  type DailyUsage,
  type DayRange,
  type Outcome,
  ProxyUsageStatsRepository,
  type UsageTotals,
} from './proxy-usage-stats.repository.ts';
export { RotationConfigRepository } from './rotation-config.repository.ts';
export {
  type RotationEventInput,
  RotationEventsRepository,
  type TimeRange,
} from './rotation-events.repository.ts';
export {
  type ReadRulesOptions,
  RotationRulesRepository,
} from './rotation-rules.repository.ts';
export { StickySessionRepository } from './sticky-session.repository.ts';
