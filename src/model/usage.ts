/** One day (UTC) of one proxy. */
export interface ProxyUsage {
  proxyId: string;
  /** `YYYY-MM-DD`, UTC. */
  date: string;
  requestCount: number;
  successCount: number;
  failureCount: number;
  totalLatencyMs: number;
  /** How many of the requests came with a latency, so that a mean can be taken. */
  latencyCount: number;
}
