import { describe } from 'vitest';
import { openEngine } from '../../support/modes.ts';
import { describeConcurrency, describeDriver } from './conformance.ts';

describe('the driver of SQLite', () => describeDriver((options) => openEngine('sync', options)));

describe('an asynchronous driver', () => {
  describeDriver((options) => openEngine('async', options));
  describeConcurrency((options) => openEngine('async', options));
});
