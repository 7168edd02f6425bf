import { HandOutsRepository } from '../../src/database/repositories/hand-outs.repository.ts';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../../src/database/repositories/session-proxies.repository.ts';

/** The repositories that only the rotation engine uses; the package does not export them. */
export const ENGINE_REPOSITORIES = {
  HandOutsRepository,
  RotationTurnsRepository,
  SessionProxiesRepository,
} as const;
