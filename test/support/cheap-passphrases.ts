import { afterAll, beforeAll } from 'vitest';
import { SCRYPT } from '../../src/keys/sources/passphrase.ts';

/**
 * Has the passphrases of new key files cost the least that a key file may ask for, a quarter: for tests in this process whose
 * point is not the cost.
 */
export function useCheapPassphrases(): void {
  const { N } = SCRYPT;
  const cost = SCRYPT as { N: number };
  beforeAll(() => {
    cost.N = 2 ** 15;
  });
  afterAll(() => {
    cost.N = N;
  });
}
