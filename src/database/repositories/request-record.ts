import type { Mode, Session, Steps } from '../drivers/driver.ts';
import { toStored } from '../timestamps.ts';
import { orNotFound } from './repository.ts';
import { addUsage } from './usage-count.ts';

/** Counts a request of a proxy: in the proxy and in the usage of today. What it is given was checked. */
export function* recordRequest<M extends Mode>(
  session: Session<M>,
  request: { id: string; success: boolean; latency: number | null },
): Steps<M, void> {
  const { id, success, latency } = request;
  yield session.driver.run(
    // Successes are recovered exactly from the rate: they are whole, and the rate has 15 digits.
    `UPDATE proxies SET
       total_requests = total_requests + 1,
       success_rate = 100.0 * (round(success_rate * total_requests / 100.0) + :success) / (total_requests + 1),
       failure_count = CASE WHEN :success = 1 THEN 0 ELSE failure_count + 1 END,
       latency_ewma = CASE WHEN :measured = 1
         THEN coalesce(latency_ewma + (:latency - latency_ewma) / 8.0, :latency) ELSE latency_ewma END,
       latency = CASE WHEN :measured = 1
         THEN CAST(floor(coalesce(latency_ewma + (:latency - latency_ewma) / 8.0, :latency) + 0.5) AS BIGINT) ELSE latency END,
       updated_at = :now
     WHERE id = :id`,
    {
      id,
      success: success ? 1 : 0,
      measured: latency === null ? 0 : 1,
      latency,
      now: toStored(session.clock()),
    },
    orNotFound('proxy', id),
  );
  yield addUsage(session, request);
}
