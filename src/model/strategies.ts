import { z } from 'zod';

export const ROTATION_STRATEGIES = [
  'round-robin',
  'random',
  'least-used',
  'fastest',
  'failure-aware',
  'weighted',
  'geographic',
  'sticky-session',
  'time-based',
  'custom',
] as const;
export type RotationStrategy = (typeof ROTATION_STRATEGIES)[number];
export const strategySchema = z.enum(ROTATION_STRATEGIES);
