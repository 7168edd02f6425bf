import { type ErrorCode, ProxyVaultError } from '../../errors.ts';
import type { CredentialCount } from '../repositories/credential-record.ts';
import { type Keyset, lostConfig } from './keyset.ts';
import { MANY_MESSAGES } from './message-budget.ts';

/** One data key. */
export interface DataKeyStatus {
  keyId: string;
  state: 'primary' | 'decrypt-only';
  /** The key-encryption key that wraps it. */
  kekId: string;
  createdAt: string;
  /** Messages that it has encrypted, or that are reserved: never too few. */
  messageCount: number;
  /** Credentials that it encrypts now. */
  rows: number;
  /** Why it cannot be used, such as KEY_MISSING; null if it can. */
  problem: ErrorCode | null;
}

/** How the credentials of a database are protected. Nothing of it is secret. */
export interface KeyStatus {
  source: { kind: string; location: string; protection: string | null };
  /** The kind of source that the database asks for; null before the first credential. */
  pinned: string | null;
  /** The key must be waited for, and was not: whether the keys below can be used is not known. */
  locked: boolean;
  /** Why stored credentials cannot be decrypted, such as KEY_MISSING; null if they can, if there are none, or if `locked`. */
  problem: ErrorCode | null;
  /** Null before the first credential. */
  databaseId: string | null;
  keys: DataKeyStatus[];
  /** Credentials that no key of the database encrypts, but the source's own (or, null, one that they do not name). */
  direct: { keyId: string | null; rows: number }[];
  /** Credentials that are bound to no proxy: `rotate` binds them. */
  unbound: number;
  /** Credentials that an older version bound to the id of their proxy, not to its address: `rotate` binds them. */
  oldBinding: number;
  /** Of a rotation that was interrupted or is under way. */
  rotation: { keyId: string; startedAt: string; left: number } | null;
  /** Whether there is a recovery code. */
  recoveryCode: boolean;
  /** What should be done, in sentences. */
  advice: string[];
}

export function statusOf(keyset: Keyset): KeyStatus {
  const { source } = keyset.roots;
  keyset.refresh();
  const records = keyset.records;
  const config = keyset.config.get();
  const counts = keyset.credentials.countByKey();
  const rowsOf = (keyId: string | null): number => sumOf(counts.filter((count) => count.keyId === keyId));
  const keys = records.map(({ keyId, state, kekId, createdAt, messageCount }) => ({
    keyId,
    state,
    kekId,
    createdAt,
    messageCount,
    rows: rowsOf(keyId),
    problem: keyset.problemOf(keyId)?.code ?? null,
  }));
  const outside = new Set(
    counts.map(({ keyId }) => keyId).filter((id) => !records.some(({ keyId }) => keyId === id)),
  );
  const status: KeyStatus = {
    source: { kind: source.kind, location: source.location, protection: source.protection?.() ?? null },
    pinned: config?.keySource ?? null,
    locked: keys.some(({ problem }) => problem === 'KEY_LOCKED'),
    problem: keys.some(({ rows }) => rows > 0) || outside.size > 0 ? problemOf(keyset, keys) : null,
    databaseId: config?.databaseId ?? null,
    keys,
    direct: [...outside].map((keyId) => ({ keyId, rows: rowsOf(keyId) })),
    unbound: sumOf(counts.filter(({ binding }) => binding === 'none')),
    oldBinding: sumOf(counts.filter(({ binding }) => binding === 'id')),
    rotation: config?.rotation
      ? {
          keyId: config.rotation.keyId,
          startedAt: config.rotation.startedAt,
          left: keyset.credentials.countNotUnder(config.rotation.keyId),
        }
      : null,
    recoveryCode: keyset.secrets.find('escrow') !== null,
    advice: [],
  };
  const advice = adviceOn(status);
  const caution = source.caution?.() ?? null;
  if (caution !== null) advice.push(caution);
  if (fingerprintProblem(keyset)?.code === 'KEY_INVALID')
    advice.push('The key of the usernames\u2019 fingerprints is damaged: restore a backup of the database.');
  return { ...status, advice };
}

function sumOf(counts: readonly CredentialCount[]): number {
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}

/** What is wrong with the keys that encrypt something now. */
function problemOf(keyset: Keyset, keys: readonly DataKeyStatus[]): ErrorCode | null {
  const used = keys.find(({ rows, problem }) => rows > 0 && problem !== null && problem !== 'KEY_LOCKED');
  if (used) return used.problem;
  // The source's own key may be needed too.
  const problem = keys.length === 0 ? attempt(() => keyset.assertOwn()) : null;
  return problem === null || problem.code === 'KEY_LOCKED' ? null : problem.code;
}

function fingerprintProblem(keyset: Keyset): ProxyVaultError | null {
  return attempt(() => {
    const wrapped = keyset.secrets.find('fingerprint');
    if (wrapped) keyset.unwrap(wrapped, 'fingerprint');
  });
}

function attempt(work: () => void): ProxyVaultError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof ProxyVaultError) return error;
    throw error;
  }
}

function adviceOn(status: KeyStatus): string[] {
  const { source, pinned, keys, direct, unbound, oldBinding, rotation, recoveryCode, problem } = status;
  const advice: string[] = [];
  if (rotation)
    advice.push(
      `A rotation was not finished: \`proxyvault key rotate\` goes on with the ${rotation.left} left.`,
    );
  const damaged = keys.filter(({ problem }) => problem === 'KEY_INVALID');
  if (damaged.length > 0)
    advice.push(
      `Damaged keys: ${damaged.map(({ keyId }) => keyId).join(', ')}. Restore a backup of the database.`,
    );
  if (keys.some(({ problem }) => problem === 'INVALID_ROW')) advice.push(lostConfig().message);
  if (keys.some(({ messageCount }) => messageCount >= MANY_MESSAGES))
    advice.push('A key has encrypted over 2^30 messages: run `proxyvault key rotate`.');
  if (pinned !== null && keys.some(({ problem }) => problem === 'KEY_MISMATCH'))
    advice.push(`The key given (${source.kind}) is not this database\u2019s, which comes from: ${pinned}.`);
  if (!rotation && oldBinding > 0)
    advice.push(
      `${oldBinding} credentials are not bound to the address of their proxy: whoever can write the file could have them sent elsewhere. Look at the addresses (\`proxyvault list\`), then run \`proxyvault key rotate\`.`,
    );
  if (!rotation && unbound + direct.length > 0)
    advice.push(
      'Some credentials are bound to no proxy, or not under a key of the database: `proxyvault key rotate` fixes both.',
    );
  if (problem === 'KEY_MISSING')
    advice.push(
      recoveryCode
        ? `The key is missing (${source.location}): restore it from its backup, or run \`proxyvault key recover\` with the recovery code.`
        : `The key is missing (${source.location}), and no recovery code was ever made: restore it from its backup.`,
    );
  // Without its key no code can be made.
  const states = keys.map((key) => key.problem ?? 'sound');
  const isOpen =
    states.some((state) => ['sound', 'KEY_LOCKED'].includes(state)) &&
    states.every((state) => ['sound', 'KEY_LOCKED', 'KEY_INVALID'].includes(state));
  if (isOpen && !recoveryCode)
    advice.push('There is no recovery code: make one with `proxyvault key recovery-code --output FILE`.');
  return advice;
}
