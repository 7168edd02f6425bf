// Pools to choose from: a tenth of the proxies failed, a quarter in Germany, half of them HTTP, with weights from 1 to 10.
import { initDatabase } from 'proxyvault';
import { newFile } from './pools.js';

/** An eighth of the proxies fit it. */
export const FILTER = { country: 'DE', protocol: 'http' };
/** What some strategies need. */
export const OPTIONS = { country: 'DE', custom: 'random' };
const PLACES = ['DE', 'FR', 'US', 'JP'];
const DOMAINS = 100;

/** The id of a proxy, by its number from 0. */
export function idOf(number) {
  return `p${String(number).padStart(8, '0')}`;
}

/** The requests of a strategy, which take turns. Each variant has its domains, since a domain keeps its proxy. */
export function requestsOf(strategy, variant, request) {
  if (strategy !== 'sticky-session') return [request];
  return Array.from({ length: DOMAINS }, (_, n) => ({ ...request, domain: `${variant}${n}.example` }));
}

/** The path of a new pool. Every proxy has worked before. */
export function newPool(count) {
  const path = newFile();
  const db = initDatabase({ path, durability: 'normal' });
  db.migrations.up();
  // With its revision a row needs no trigger, as with the repositories.
  db.driver.run(
    `WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < :count - 1)
     INSERT INTO proxies (id, name, host, port, protocol, status, latency, latency_ewma, total_requests, success_rate, region,
       geolocation_json, weight, revision, created_at, updated_at)
     SELECT printf('p%08d', n), 'h' || n || '.example:8080', 'h' || n || '.example', 8080,
       CASE WHEN n % 8 < 4 THEN 'http' ELSE 'socks5' END, CASE WHEN n % 10 = 9 THEN 'failed' ELSE 'active' END,
       20 + n % 997, 20 + n % 997, 1 + n % 50, 100.0 - n % 40, 'R' || n % 10,
       CASE n % 4 ${PLACES.map((country, place) => `WHEN ${place} THEN '{"country":"${country}"}'`).join(' ')} END,
       1 + n % 10, n + 1, '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000' FROM c`,
    { count },
  );
  db.driver.pragma('optimize');
  db.close();
  return path;
}
