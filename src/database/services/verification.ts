import { setImmediate as nextTurn } from 'node:timers/promises';

import { type ErrorCode, ProxyVaultError } from '../../errors.ts';
import type { StoredCredential } from '../repositories/encrypted-credentials.repository.ts';
import type { EncryptedData } from '../types.ts';
import type { Keyset } from './keyset.ts';

/** A credential that does not decrypt. */
export interface CredentialFailure {
  proxyId: string;
  code: ErrorCode;
  /** What is wrong and what to do; never anything of the credential. */
  message: string;
}

export interface VerificationReport {
  /** Every credential decrypts. */
  ok: boolean;
  checked: number;
  /** Credentials that are not bound to their row: `rotate` binds them. */
  unbound: number;
  failures: CredentialFailure[];
}

export interface VerificationOptions {
  /** Called after each page. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

const PAGE = 500;

/** Decrypts every credential, in the order of proxy ids, a page at a time. */
export async function verifyCredentials(
  keyset: Keyset,
  { onProgress }: VerificationOptions = {},
): Promise<VerificationReport> {
  await keyset.reload();
  const total = keyset.credentials.count();
  const report: VerificationReport = { ok: true, checked: 0, unbound: 0, failures: [] };
  for (let after = ''; ; ) {
    const page = keyset.credentials.page(after, PAGE);
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.proxyId;
    for (const row of page) {
      if (row.problem === null && row.encrypted.boundTo === undefined) report.unbound++;
      const failure = failureOf((encrypted) => keyset.open(row.proxyId, encrypted), row);
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
