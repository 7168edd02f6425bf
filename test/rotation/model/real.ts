import { closeSync, copyFileSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AcquireRequest, type Lease, openVault, type ProxyVaultError, type Vault } from 'proxyvault';

/** How a call of `acquire` has ended. */
export type Answer = { key: number } & (
  | { lease: Lease; error: null }
  | { lease: null; error: ProxyVaultError }
);

/** The pool itself, in a file. */
export class Real {
  readonly time: { now: number };
  readonly leases = new Map<number, Lease>();
  /** The ids of leases, which outlive the process. */
  readonly leaseIds = new Map<number, string>();
  readonly aborts = new Map<number, AbortController>();
  /** Answers that the model has not followed yet. */
  answers: Answer[] = [];
  /** So many steps were compared. */
  steps = 0;
  vault: Vault;
  readonly #folder: string;
  #path: string;
  #crashes = 0;

  private constructor(folder: string, path: string, vault: Vault, time: { now: number }) {
    this.#folder = folder;
    this.#path = path;
    this.vault = vault;
    this.time = time;
  }

  /** A copy of the template in a folder of its own. */
  static async open(template: string, folder: string, now: number): Promise<Real> {
    const time = { now };
    const path = join(folder, 'pool.db');
    copyFileSync(template, path);
    return new Real(folder, path, await openAt(path, folder, time), time);
  }

  get pool() {
    return this.vault.pool;
  }

  keep(key: number, lease: Lease): void {
    this.leases.set(key, lease);
    this.leaseIds.set(key, lease.id);
  }

  /** Acquires a lease now or later. */
  acquire(key: number, request: AcquireRequest): void {
    const abort = new AbortController();
    this.aborts.set(key, abort);
    this.pool.acquire({ ...request, signal: abort.signal }).then(
      (lease) => this.answers.push({ key, lease, error: null }),
      (error) => this.answers.push({ key, lease: null, error }),
    );
  }

  async reopen(): Promise<void> {
    await this.vault.close();
    await this.#begin();
  }

  /**
   * Continues with what is on the disk now. The files that were copied are closed after those of the database: a process that closes a
   * file loses all its locks on it.
   */
  async crash(): Promise<void> {
    const path = join(this.#folder, `crash-${this.#crashes++}.db`);
    const opened = ['', '-wal']
      .filter((suffix) => existsSync(this.#path + suffix))
      .map((suffix) => {
        const descriptor = openSync(this.#path + suffix, 'r');
        writeFileSync(path + suffix, readFileSync(descriptor));
        return descriptor;
      });
    await this.vault.close();
    for (const descriptor of opened) closeSync(descriptor);
    this.#path = path;
    await this.#begin();
  }

  async close(): Promise<void> {
    await this.vault.close();
  }

  async #begin(): Promise<void> {
    this.leases.clear();
    this.aborts.clear();
    this.vault = await openAt(this.#path, this.#folder, this.time);
    await answersCome();
    this.answers = [];
  }
}

/** Lets promises that are settled say so. */
export async function answersCome(): Promise<void> {
  for (let n = 0; n < 8; n++) await undefined;
}

function openAt(path: string, folder: string, time: { now: number }): Promise<Vault> {
  return openVault({
    path,
    keyFile: join(folder, '..', 'key'),
    clock: () => time.now,
    random: () => 0.5,
    durability: 'normal',
  });
}
