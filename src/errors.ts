/**
 * Everything that goes wrong here is a {@link ProxyVaultError} with one of these codes. The set is closed:
 * a `switch` over it is complete. docs/errors.md has the causes of each, and what to do.
 */
export const ERROR_CODES = {
  INVALID_INPUT: 'an argument is outside its documented range',
  NOT_FOUND: 'no such row',
  /** A row with this id or identity exists: `details.existingId` names it. Or several rows match: `details.ids`. */
  CONFLICT: 'the row exists already',
  CONSTRAINT: 'a constraint refused the write',
  /** A stored row cannot be read as what it should be; `details` names the row. */
  INVALID_ROW: 'a stored row is malformed',
  /** No proxy is eligible. Never fall through to a direct connection on this. */
  NO_PROXY: 'no proxy is eligible',
  /** A proxy could not be reached, or gave no tunnel: `details.kind` says how it failed. Never connect without one instead. */
  PROXY_FAILED: 'the proxy did not connect',
  /** The gateway cannot listen on its address: another program does, or the system does not allow it. */
  CANNOT_LISTEN: 'the gateway cannot listen',
  /** Another connection holds the lock for longer than `busyTimeoutMs`, or every reader is in use. */
  BUSY: 'the database is locked',
  CORRUPT: 'the database file is damaged',
  NOT_A_DATABASE: 'the file is not a database',
  /** The file cannot be opened: a folder, missing, or without permission. */
  CANNOT_OPEN: 'the file cannot be opened',
  READ_ONLY: 'the database is read-only',
  /** The disk is full; the transaction was rolled back. */
  DISK_FULL: 'the disk is full',
  IO: 'input/output error',
  CLOSED: 'the database is closed',
  SQL: 'the engine refused the statement',
  ASYNC_TRANSACTION: 'a transaction function must be synchronous',
  MIGRATION_INVALID: 'a migration file is malformed',
  /** An applied migration's file has changed since, or a step cannot be undone. */
  MIGRATION_CHANGED: 'an applied migration has changed',
  MIGRATION_IRREVERSIBLE: 'a migration cannot be undone',
  MIGRATION_PENDING: 'the database is older than this program',
  /** A migration failed; everything of this run was rolled back. */
  MIGRATION_FAILED: 'a migration failed',
  DATABASE_NEWER: 'the database is newer than this program',
  KEY_MISSING: 'the encryption key is missing',
  KEY_MISMATCH: 'the encryption key is another one',
  KEY_INVALID: 'the encryption key is malformed',
  /** The key must be waited for, such as one that a passphrase protects: open the service first. */
  KEY_LOCKED: 'the encryption key is locked',
  /** A data key has encrypted as many messages as is safe: it must be rotated. */
  KEY_EXHAUSTED: 'the encryption key has been used too often',
  CREDENTIAL_CORRUPT: 'the ciphertext is damaged',
  UNSUPPORTED: 'this platform is not supported',
} as const;

/** One of the closed set of error codes. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Facts about an error that a program may want: ids, paths, line numbers. Never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/**
 * The one error class. `message` says what happened and what to do next; `code` is stable; `cause` is the
 * error beneath, if there is one. No secret ever stands in any of them.
 */
export class ProxyVaultError extends Error {
  override readonly name = 'ProxyVaultError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string = ERROR_CODES[code],
    options: { cause?: unknown; details?: ErrorDetails } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
