/**
 * The repositories, one file per table, each written once for both modes of a driver (drivers/driver.ts).
 *
 * To add a table:
 * 1. Write a migration, `migrations/NNN_name.sql`.
 * 2. Write `name.repository.ts`: a `Table` with the kind of each column, and a class that extends `Repository<M>`.
 * 3. Add the table to the list in `row-check.ts`, so that `check()` looks at its rows, and the class below.
 *
 * How a repository is written:
 * - A method is one statement if possible, its SQL a literal next to it. test/database/portable-sql.test.ts says what SQL
 *   both engines run. A `NULL` is sorted by `NULLS FIRST`; the time is a parameter, `this.now()`.
 * - A method gives a `Result`, a `Stream` if its name begins with `iterate`, or `Steps` if it is a generator. In async mode
 *   `Repository` makes the first two reject with bad input, so check it in the method itself.
 * - Several statements are a generator for `transaction` or `sequence`: `const row = yield* step(this.db.first(…))`. A
 *   statement whose value nobody needs is yielded as it is. The generator may be run again, so a list of the caller
 *   goes through `repeatable`. What relies on being the only writer takes a `lock` before it reads.
 * - A row is read by `const { read } = TABLE` and `name: read.name(row.name, row)`, which checks the column; JSON by
 *   `TABLE.json`. Lists leave a malformed row out: `skipMalformed`.
 * - A partial update sets every column: `name = coalesce(:name, name)`, or for a column that may be NULL
 *   `region = CASE WHEN :set_region = 1 THEN :region ELSE region END`; `changesOf` makes these parameters.
 */
export type { ProxyFilter } from '../../model/proxy.ts';
export type { RotationRuleInput } from '../../model/rules.ts';
export type { AddressedProxy } from './credential-record.ts';
export { EncryptedCredentialsRepository } from './encrypted-credentials.repository.ts';
export { ProxyRepository } from './proxy.repository.ts';
export type { StatusCounts } from './proxy-counts.ts';
export type { ImportOptions, ImportSummary } from './proxy-import.ts';
export type { ProxyListing, ProxyPage } from './proxy-page.ts';
export { type LeavingCount, type LeavingProxy, ProxyTagsRepository } from './proxy-tags.repository.ts';
export {
  type DailyUsage,
  type DayRange,
  type Outcome,
  ProxyUsageStatsRepository,
  type ProxyUsageTotals,
  type UsageListing,
  type UsageSort,
  type UsageSortField,
} from './proxy-usage-stats.repository.ts';
export { RotationConfigRepository } from './rotation-config.repository.ts';
export {
  type EventFilter,
  type EventListing,
  type EventPage,
  type HourlyEvents,
  type RotationEventInput,
  RotationEventsRepository,
} from './rotation-events.repository.ts';
export {
  type ReadRulesOptions,
  RotationRulesRepository,
} from './rotation-rules.repository.ts';
export { StickySessionRepository } from './sticky-session.repository.ts';
export type { TimeRange } from './time-range.ts';
export type { UsageTotals } from './usage-sums.ts';
