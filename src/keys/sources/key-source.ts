import { invalidInput } from '../../model/validation.ts';

/** What a source gives: the key, or several, of which the first is in use and the others only decrypt. Each 32 bytes. */
export type KeyMaterial = Uint8Array | readonly Uint8Array[];

/** Where the key-encryption key comes from. Write one for a secret manager of your own. */
export interface KeySource {
  /** Such as `environment` or `key file`. It is pinned in the database: another kind is refused there. */
  readonly kind: string;
  /** Where to look, for a person: a path or the name of a variable. Never the key. */
  readonly location: string;
  /**
   * The key, or null if there is no key yet; the caller overwrites it after use. A promise needs `EncryptionService.open`.
   *
   * @throws KEY_INVALID, KEY_MISMATCH; KEY_MISSING if there is one that cannot be reached.
   */
  read(): KeyMaterial | null | Promise<KeyMaterial | null>;
  /** Makes a missing key, and never replaces one; absent if that cannot be done. */
  create?(): KeyMaterial | Promise<KeyMaterial>;
  /** Whether `read` or `create` would answer with a promise now; where it is absent they are asked to find out. */
  asynchronous?(): boolean;
  /**
   * Prepares to store `keys` (ownership passes to the source) and returns a function that commits them in one step. The
   * old content is kept as a backup. The commit throws BUSY if the source has changed since `revision`, or if it has
   * keys that are not among `keys`, unless `dropOthers`. Absent where nothing can be stored.
   *
   * @throws UNSUPPORTED if they cannot be protected here.
   */
  prepare?(keys: readonly Buffer[], revision: string | null, dropOthers?: boolean): Promise<() => void>;
  /** Names the state that the last `read` found: null if there was nothing. With `prepare`. */
  revision?(): string | null;
  /** Whether that is its state still, so that it need not be read again. */
  isCurrent?(): boolean;
  /** What protects the key there, such as `passphrase`; absent where the source does not know. */
  protection?(): string | null;
  /** A sentence for a person if the source is less safe than it should be, such as a mounted file that others can read. */
  caution?(): string | null;
  /** Called when the database does not need what was replaced: removes a backup that is less protected than the new one. */
  settle?(): void;
}

/** @throws INVALID_INPUT for what cannot be a source. @param what begins the sentence. */
export function assertKeySource(source: KeySource, what: string): void {
  const isSource =
    typeof source === 'object' &&
    source !== null &&
    typeof source.read === 'function' &&
    typeof source.kind === 'string' &&
    typeof source.location === 'string';
  if (!isSource)
    throw invalidInput(
      `${what} must be a key source, with \`kind\`, \`location\` and \`read()\`, such as keyringFile(path) gives.`,
    );
}
