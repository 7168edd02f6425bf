import { HandOutsRepository } from '../../src/database/repositories/hand-outs.repository.ts';
import { OutcomesRepository } from '../../src/database/repositories/outcomes.repository.ts';
import { ProxyCooldownsRepository } from '../../src/database/repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from '../../src/database/repositories/proxy-leases.repository.ts';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../../src/database/repositories/session-proxies.repository.ts';

/** The repositories that only the rotation engine uses; the package does not export them. */
export const ENGINE_REPOSITORIES = {
  HandOutsRepository,
  OutcomesRepository,
  ProxyCooldownsRepository,
  ProxyLeasesRepository,
  RotationTurnsRepository,
  SessionProxiesRepository,
} as const;
