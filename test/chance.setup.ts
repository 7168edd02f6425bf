/** All chance in a test file comes from the seed of the run, which summary.setup.ts prints. */
import fc from 'fast-check';
import { inject } from 'vitest';

fc.configureGlobal({ seed: inject('seed') });
