import { setImmediate as nextTurn } from 'node:timers/promises';

import { type ErrorCode, ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../../keys/credential-cipher.ts';
import type { Session } from '../drivers/driver.ts';
import type { StoredCredential } from '../repositories/credential-record.ts';
import type { Keyset } from './keyset.ts';

/** A credential that does not decrypt. */
export interface CredentialFailure {
  proxyId: string;
  code: ErrorCode;
  /** What is wrong and what to do; never anything of the credential. */
  message: string;
}

export interface VerificationReport {
  /** Every credential decrypts, for the address that its proxy has. */
  ok: boolean;
  checked: number;
  /** Credentials that decrypt and are bound to no proxy: `rotate` binds them. */
  unbound: number;
  /** Credentials that decrypt and are bound to the id of their proxy, not to its address: `rotate` binds them. */
  oldBinding: number;
  failures: CredentialFailure[];
}

export interface VerificationOptions {
  /** The database to verify; the option `database` of the service unless given. */
  database?: Session<'sync'> | undefined;
  /** Called after each page. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

const PAGE = 500;

/** Decrypts every credential, in the order of proxy ids, a page at a time. */
export async function verifyCredentials(
  keyset: Keyset,
  { onProgress }: Pick<VerificationOptions, 'onProgress'> = {},
): Promise<VerificationReport> {
  await keyset.reload();
  const total = keyset.credentials.count();
  const report: VerificationReport = { ok: true, checked: 0, unbound: 0, oldBinding: 0, failures: [] };
  for (let after = ''; ; ) {
    const page = keyset.rows.page(after, PAGE);
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.proxyId;
    for (const row of page) {
      const failure = failureOf((encrypted) => {
        const { binding } = keyset.open(row.proxyId, row.address, encrypted);
        if (binding === 'none') report.unbound++;
        if (binding === 'id') report.oldBinding++;
      }, row);
      if (failure !== null) report.failures.push(failure);
    }
    report.checked += page.length;
    onProgress?.({ done: report.checked, total });
    await nextTurn();
  }
  report.ok = report.failures.length === 0;
  return report;
}

/** What went wrong with one row; what would go wrong with all of them is thrown. */
export function failureOf(
  work: (encrypted: EncryptedData) => unknown,
  { proxyId, encrypted, problem }: StoredCredential,
): CredentialFailure | null {
  try {
    if (problem !== null) throw problem;
    work(encrypted);
    return null;
  } catch (error) {
    const own =
      error instanceof ProxyVaultError &&
      ['CREDENTIAL_CORRUPT', 'KEY_INVALID', 'KEY_MISMATCH', 'INVALID_ROW'].includes(error.code);
    if (!own) throw error;
    return { proxyId, code: error.code, message: error.message };
  }
}
