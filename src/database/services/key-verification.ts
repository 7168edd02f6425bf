import { setImmediate as nextTurn } from 'node:timers/promises';

import { type ErrorCode, ProxyVaultError } from '../../errors.ts';
import type { OpenedCredential } from '../../keys/binding.ts';
import { type Mode, type Session, settled } from '../drivers/driver.ts';
import type { StoredCredential } from '../repositories/credential-record.ts';
import { CredentialRowsRepository } from '../repositories/credential-rows.repository.ts';
import { EncryptedCredentialsRepository } from '../repositories/encrypted-credentials.repository.ts';
import type { DatabaseCipher } from './database-cipher.ts';
import { type KeyTools, reloadKeys } from './key-tools.ts';

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
  database?: Session<Mode> | undefined;
  /** Called after each page. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

const PAGE = 500;

/** Decrypts every credential, in the order of proxy ids, a page at a time. */
export async function verifyCredentials<M extends Mode>(
  tools: KeyTools<M>,
  onProgress?: VerificationOptions['onProgress'],
): Promise<VerificationReport> {
  const { session, cipher } = tools;
  await reloadKeys(tools);
  const rows = new CredentialRowsRepository(session);
  const total = await settled(new EncryptedCredentialsRepository(session).count());
  const report: VerificationReport = { ok: true, checked: 0, unbound: 0, oldBinding: 0, failures: [] };
  for (let after = ''; ; ) {
    const page = await settled(rows.page(after, PAGE));
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.proxyId;
    for (const row of page) {
      const { opened, failure } = await openRow(cipher, row);
      if (opened?.binding === 'none') report.unbound++;
      if (opened?.binding === 'id') report.oldBinding++;
      if (failure) report.failures.push(failure);
    }
    report.checked += page.length;
    onProgress?.({ done: report.checked, total });
    await nextTurn();
  }
  report.ok = report.failures.length === 0;
  return report;
}

/** What a row held, or why it does not open. */
export type Opened =
  | { opened: OpenedCredential; failure: null }
  | { opened: null; failure: CredentialFailure };

/** Opens a row; what would go wrong with all of them is thrown. */
export async function openRow<M extends Mode>(
  cipher: DatabaseCipher<M>,
  row: StoredCredential,
): Promise<Opened> {
  const { proxyId, address, encrypted, problem } = row;
  try {
    if (problem !== null) throw problem;
    return { opened: await settled(cipher.open(proxyId, address, encrypted)), failure: null };
  } catch (error) {
    const own =
      error instanceof ProxyVaultError &&
      ['CREDENTIAL_CORRUPT', 'KEY_INVALID', 'KEY_MISMATCH', 'INVALID_ROW'].includes(error.code);
    if (!own) throw error;
    return { opened: null, failure: { proxyId, code: error.code, message: error.message } };
  }
}
