import { type ErrorCode, ProxyVaultError } from '../../errors.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import type { KeySource } from '../../keys/sources/key-source.ts';
import { type Mode, type Steps, step } from '../drivers/driver.ts';
import type { CredentialCount } from '../repositories/credential-record.ts';
import { CredentialRowsRepository } from '../repositories/credential-rows.repository.ts';
import type { KeyTools } from './key-tools.ts';
import { attempt, type Keyset, lostConfig } from './keyset.ts';
import { MANY_MESSAGES } from './message-budget.ts';

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
  /**
   * Why it cannot be used, such as KEY_MISSING; null if it can. That of the source, if that gave no key (`sourceProblem`):
   * whether this key is sound is not known then.
   */
  problem: ErrorCode | null;
}

/** How the credentials of a database are protected. Nothing of it is secret. */
export interface KeyStatus {
  source: { kind: string; location: string; protection: string | null };
  /** The kind of source that the database asks for; null before the first credential. */
  pinned: string | null;
  /** The key must be waited for, and was not (see `unlock`): whether the keys below can be used is not known. */
  locked: boolean;
  /** Why the source gave no key, such as KEY_INVALID for a file that others can read; null if it gave one. */
  sourceProblem: ErrorCode | null;
  /**
   * Why credentials cannot be encrypted or decrypted, such as KEY_MISSING; null if they can, if `locked`, or if there is no
   * key yet and nothing that needs one.
   */
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

/** Where a key comes from, for a person. */
export function describeSource(source: KeySource): KeyStatus['source'] {
  return { kind: source.kind, location: source.location, protection: source.protection?.() ?? null };
}

export function* statusOf<M extends Mode>({ session, roots, store }: KeyTools<M>): Steps<M, KeyStatus> {
  const { source } = roots;
  const keyset = yield* store.load();
  const { records, config, fingerprintKey } = keyset;
  const rows = new CredentialRowsRepository(session);
  const counts = yield* step(rows.countByKey());
  const rotation = config?.rotation;
  const left = rotation ? yield* step(rows.countNotUnder(rotation.keyId)) : 0;
  const sourceError = sourceErrorOf(keyset, counts.length > 0, roots);
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
    source: describeSource(source),
    pinned: config?.keySource ?? null,
    locked: keys.some(({ problem }) => problem === 'KEY_LOCKED'),
    sourceProblem: sourceError?.code ?? null,
    problem: problemOf(counts, keys, sourceError, roots),
    databaseId: config?.databaseId ?? null,
    keys,
    direct: [...outside].map((keyId) => ({ keyId, rows: rowsOf(keyId) })),
    unbound: sumOf(counts.filter(({ binding }) => binding === 'none')),
    oldBinding: sumOf(counts.filter(({ binding }) => binding === 'id')),
    rotation: rotation ? { keyId: rotation.keyId, startedAt: rotation.startedAt, left } : null,
    recoveryCode: (yield* store.escrow()) !== null,
    advice: [],
  };
  const advice = [...adviceOnSource(status, sourceError), ...adviceOn(status)];
  const isAccepted = sourceError === null || (status.locked && status.source.protection !== null);
  const caution = isAccepted ? source.caution?.() : null;
  if (caution) advice.push(caution);
  // Without the database's id no key opens, sound ones neither.
  const isDamaged = fingerprintKey instanceof ProxyVaultError && fingerprintKey.code === 'KEY_INVALID';
  if (sourceError === null && config !== null && isDamaged)
    advice.push('The key of the fingerprints is damaged: restore a backup of the database.');
  return { ...status, advice };
}

/** Why the source gives no key; null if it does, or has none yet and need not. */
function sourceErrorOf(keys: Keyset, isNeeded: boolean, roots: RootKeys): ProxyVaultError | null {
  const read = keys.sourceProblem ?? attempt(() => (isNeeded ? roots.readNeeded() : roots.read()));
  if (!(read instanceof ProxyVaultError)) return null;
  return read.code === 'KEY_MISSING' && !isNeeded && keys.records.length === 0 ? null : read;
}

function sumOf(counts: readonly CredentialCount[]): number {
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}

/** What is wrong with the source, or with the keys that encrypt something now. */
function problemOf(
  counts: readonly CredentialCount[],
  keys: readonly DataKeyStatus[],
  sourceError: ProxyVaultError | null,
  roots: RootKeys,
): ErrorCode | null {
  const used = keys.find(({ rows, problem }) => rows > 0 && problem !== null && problem !== 'KEY_LOCKED');
  if (used) return used.problem;
  const isEncrypted = counts.length > 0;
  // A new key can be made if nothing needs the one that is missing.
  if (sourceError?.code === 'KEY_LOCKED' || (!isEncrypted && sourceError && isLost(sourceError))) return null;
  if (sourceError) return sourceError.code;
  if (!isEncrypted || keys.length > 0) return null;
  // The source's own key is needed.
  const source = roots.read().map(({ id }) => id);
  return counts.every(({ keyId }) => keyId === null || source.includes(keyId)) ? null : 'KEY_MISMATCH';
}

/** Whether the key is not where it should be, or is no key any more, and not only out of reach. */
function isLost({ code, details }: ProxyVaultError): boolean {
  return code === 'KEY_MISSING' && (details.kind !== undefined || details.malformed === true);
}

/** What to do about a source that gave no key. */
function adviceOnSource(
  { source, pinned, locked, problem, recoveryCode }: KeyStatus,
  error: ProxyVaultError | null,
): string[] {
  if (locked)
    return [
      `The key is locked (${source.protection ?? source.kind}) and was not tried, so whether it fits is not known. For a passphrase give --passphrase-file or PROXYVAULT_PASSPHRASE_FILE.`,
    ];
  if (error === null || error.code === 'KEY_LOCKED' || problem === null) return [];
  const advice = [error.message];
  // The key of another kind of source is not lost.
  const isOther = pinned !== null && pinned !== source.kind;
  if (isOther || !isLost(error)) return advice;
  if (recoveryCode) advice.push('The recovery code restores the key too: `proxyvault key recover`.');
  // Malformed text may be corrected.
  else if (error.details.malformed !== true)
    advice.push('No recovery code was ever made for this pool, so only a backup of the key helps.');
  return advice;
}

function adviceOn(status: KeyStatus): string[] {
  const { source, pinned, sourceProblem, keys, direct, unbound, oldBinding, rotation, recoveryCode } = status;
  const advice: string[] = [];
  if (rotation)
    advice.push(
      `A rotation was not finished: \`proxyvault key rotate\` continues with the ${rotation.left} left.`,
    );
  const damaged = sourceProblem === null ? keys.filter(({ problem }) => problem === 'KEY_INVALID') : [];
  if (damaged.length > 0)
    advice.push(
      `Damaged keys: ${damaged.map(({ keyId }) => keyId).join(', ')}. Restore a backup of the database.`,
    );
  if (keys.some(({ problem }) => problem === 'INVALID_ROW')) advice.push(lostConfig().message);
  if (keys.some(({ messageCount }) => messageCount >= MANY_MESSAGES))
    advice.push('A key has encrypted over 2^30 messages: run `proxyvault key rotate`.');
  const isOther = keys.some(({ problem }) => problem === 'KEY_MISMATCH');
  if (isOther && pinned !== null && (sourceProblem === null || pinned !== source.kind))
    advice.push(`The key given (${source.kind}) is not this database\u2019s, which comes from: ${pinned}.`);
  if (!rotation && oldBinding > 0)
    advice.push(
      `${oldBinding} credentials are not bound to the address of their proxy: whoever can write the file could have them sent elsewhere. Look at the addresses (\`proxyvault list\`), then run \`proxyvault key rotate\`.`,
    );
  if (!rotation && unbound + direct.length > 0)
    advice.push(
      'Some credentials are bound to no proxy, or not under a key of the database: `proxyvault key rotate` fixes both.',
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
