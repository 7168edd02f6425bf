/** Faults that show only if another process comes between two statements. */
export default {
  tests: ['test/database/interleavings', 'test/database/waiting', 'test/transfer/identity'],
  faults: [
    // Key rotation.
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation begins with keys that were read before the lock',
      from: "// Under the lock: the key that new ones are wrapped by must be this database's.\n  keyset.refresh();\n",
      to: '',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation does not look whether another process has ended it before it counts messages',
      from: 'if (keyset.config.get()?.rotation?.keyId !== keyId) return false;',
      to: '',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a batch is stored although another process has ended the rotation',
      from: 'if (!(yield keyset.config.advanceRotation(keyId, cursor))) return null;',
      to: 'yield keyset.config.advanceRotation(keyId, cursor);',
      survives:
        'a rotation that ends another has encrypted its credentials too, so that none of them is still as it was read: swap changes nothing',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'no wait for processes that still encrypt with the old key',
      from: 'await setTimeout(Math.max(0, begun + 5 * PRIMARY_HOLDS_MS - performance.now()));',
      to: 'await setTimeout(0);',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'the wait for late writers is shorter than they may hold the old key',
      from: 'begun + 5 * PRIMARY_HOLDS_MS',
      to: 'begun + PRIMARY_HOLDS_MS / 2',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a first pass that finds nothing waits for no late writer',
      from: 'if (pass > 0 && report.rotated === before) return;',
      to: 'if (report.rotated === before) return;',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'the passes after the wait begin at the cursor',
      from: "    after = '';\n",
      to: '    after = cursor;\n',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'the passes after the wait begin behind the cursor',
      from: "    after = '';\n",
      to: '',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'one pass only',
      from: 'const MOST_PASSES = 5;',
      to: 'const MOST_PASSES = 1;',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'the end of a rotation ends another one that was begun meanwhile',
      from: 'if (state && state.keyId !== keyId) return [];',
      to: '',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation that cannot have the lock at once fails when it begins',
      from: 'await patiently(() => driver.transaction(() => begin(keyset)), options.signal);',
      to: 'driver.transaction(() => begin(keyset));',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation that cannot have the lock at once fails in a batch',
      from: 'const swapped = await patiently(\n        () => driver.transaction(() => swapAll(keyset, keyId, after, replacements)),\n        signal,\n      );',
      to: 'const swapped = driver.transaction(() => swapAll(keyset, keyId, after, replacements));',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation that cannot have the lock at once fails when it retires keys',
      from: 'report.retired = await patiently(\n    () => driver.transaction(() => retire(keyset, report.keyId)),\n    options.signal,\n  );',
      to: 'report.retired = driver.transaction(() => retire(keyset, report.keyId));',
    },
    {
      file: 'src/database/services/encryption.service.ts',
      what: 'opening fails while another process finishes the rotation',
      from: "if (!(error instanceof ProxyVaultError && error.code === 'BUSY')) throw error;",
      to: 'throw error;',
    },
    {
      file: 'src/database/repositories/encrypted-credentials.repository.ts',
      what: 'a rotation overwrites a login that was stored meanwhile',
      from: ' AND encrypted_data = :old_ciphertext AND iv = :old_iv AND auth_tag = :old_tag\n',
      to: '\n',
    },
    {
      file: 'src/database/repositories/encrypted-credentials.repository.ts',
      what: 'a rotation binds a login to an address that the proxy had',
      from: '         AND EXISTS (SELECT 1 FROM proxies WHERE id = :id AND protocol = :protocol AND host = :host AND port = :port)',
      to: '',
    },
    {
      file: 'src/database/repositories/encrypted-credentials.repository.ts',
      what: 'ciphertext of a key that was retired meanwhile is stored',
      from: 'if (data.keyId !== undefined) yield* this.#assertUsable(proxyId, data.keyId);',
      to: '',
    },
    {
      file: 'src/database/repositories/encryption-config.repository.ts',
      what: 'the cursor of another rotation is moved',
      from: 'WHERE id = 1 AND rotation_key_id = :key_id`',
      to: 'WHERE id = 1`',
    },
    {
      file: 'src/database/repositories/encryption-keys.repository.ts',
      what: 'a key is retired although a credential came under it meanwhile',
      from: '         AND NOT EXISTS (SELECT 1 FROM encrypted_credentials AS c WHERE c.key_id = encryption_keys.key_id)\n',
      to: '',
    },
    {
      file: 'src/database/repositories/encryption-keys.repository.ts',
      what: 'a process counts its messages over those of another',
      from: 'SET message_count = message_count + :messages',
      to: 'SET message_count = :messages',
    },

    // Keys that a process has read.
    {
      file: 'src/database/services/keyset.ts',
      what: 'a process uses a primary key for two seconds without a look',
      from: 'now - this.#looked.at < PRIMARY_HOLDS_MS',
      to: 'now - this.#looked.at < 100 * PRIMARY_HOLDS_MS',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'a process never looks whether its primary key is still the primary',
      from: 'if (this.keys.primaryId() !== id) return false;',
      to: '',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'the first key is made from what was read before the lock',
      from: '    this.assertUsable();\n    this.refresh();\n    const { primary',
      to: '    this.assertUsable();\n    const { primary',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'a second first key is made',
      from: '    if (primary) return primary;\n    // The credential',
      to: '    // The credential',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'the configuration is read before the keys',
      from: '    const records = this.keys.findAll();\n    const config = this.config.get();',
      to: '    const config = this.config.get();\n    const records = this.keys.findAll();',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'a reader does not look for a key that another process has made',
      from: '      // Another process may have made it, or the source may have its key again.\n      this.refresh();\n',
      to: '',
    },
    {
      file: 'src/database/services/keyset.ts',
      what: 'credentials are foreign if the first key was made after the keys were read',
      from: '    // Another process may have made the first data key since, and encrypted with it.\n    this.refresh();\n',
      to: '',
    },
    {
      file: 'src/database/services/message-budget.ts',
      what: 'a key that was retired meanwhile is said to be exhausted',
      from: '    if (!this.#keys.findAll().some((key) => key.keyId === keyId)) return 0;\n',
      to: '',
    },

    // Moving keys.
    {
      file: 'src/database/services/key-moves.ts',
      what: 'keys that were read before the lock are wrapped again',
      from: '  // Under the lock: another process may have rotated meanwhile.\n  keyset.refresh();\n',
      to: '',
    },
    {
      file: 'src/database/services/key-moves.ts',
      what: 'the key file is written before the keys of the pool are looked at',
      from: '    yield* rewrapAll(keyset, keys[0], target.kind);\n    commit();',
      to: '    commit();\n    yield* rewrapAll(keyset, keys[0], target.kind);',
    },
    {
      file: 'src/database/services/key-moves.ts',
      what: 'a key is recovered that another process has replaced since',
      from: '    assertUnchanged(session, escrow);\n',
      to: '',
    },

    // Migrations.
    {
      file: 'src/database/migrations/runner.ts',
      what: 'compatibility is not checked again under the lock',
      from: '    this.#known.assertCompatible(lines);\n    yield* work(lines);',
      to: '    yield* work(lines);',
    },
    {
      file: 'src/database/migrations/runner.ts',
      what: 'what is pending is read before the lock',
      from: '    yield* this.#underLock((lines) => this.#applyAll(lines, this.#known.pending(lines)));',
      to: '    const before = yield* step(this.#ledger.read());\n    yield* this.#underLock(() => this.#applyAll(before, this.#known.pending(before)));',
    },
    {
      file: 'src/database/migrations/runner.ts',
      what: 'what is to be undone is read before the lock',
      from: '    yield* this.#underLock((lines) => this.#revertAll(',
      to: '    const lines = yield* step(this.#ledger.read());\n    yield* this.#underLock(() => this.#revertAll(',
    },
    {
      file: 'src/database/migrations/ledger.ts',
      what: 'the ledger is not read in one snapshot',
      from: 'return this.#engine.snapshot(() => this.#read());',
      to: 'return this.#engine.driver.sequence(() => this.#read());',
    },

    // Transactions and waiting.
    {
      file: 'src/database/drivers/sqlite/driver.ts',
      what: 'a transaction takes the lock at its first write',
      from: "(['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']] as const)",
      to: "(['BEGIN', 'COMMIT', ['ROLLBACK']] as const)",
    },
    {
      file: 'src/database/drivers/sqlite/transactions.ts',
      what: 'a long transaction takes the lock at its first write',
      from: "      this.control('BEGIN IMMEDIATE');",
      to: "      this.control('BEGIN');",
    },
    {
      file: 'src/database/drivers/sqlite/transactions.ts',
      what: 'a snapshot does not begin',
      from: "    this.control('BEGIN');\n",
      to: '',
    },
    {
      file: 'src/database/drivers/sqlite/driver.ts',
      what: 'a long transaction that cannot have the lock at once fails',
      from: 'await patiently(() => {\n      slicing.assertWanted();',
      to: 'await Promise.resolve().then(() => {\n      slicing.assertWanted();',
    },
    {
      file: 'src/database/patience.ts',
      what: 'a long job fails at the first BUSY',
      from: 'if (!isLocked(error)) throw error;',
      to: 'throw error;',
    },
    {
      file: 'src/database/patience.ts',
      what: 'a long job waits a second only',
      from: 'const PATIENCE_MS = 30_000;',
      to: 'const PATIENCE_MS = 1_000;',
    },
    {
      file: 'src/transfer/list-store.ts',
      what: 'a batch of an import that cannot have the lock at once fails',
      from: 'else await patiently(() => this.#db.driver.transaction(() => steps(this.#db)));',
      to: 'else this.#db.driver.transaction(() => steps(this.#db));',
    },

    // Read and write in one transaction.
    {
      file: 'src/rotation/rotator.ts',
      what: 'a proxy is handed out outside of a transaction',
      from: 'return this.#db.transaction(() => this.#active.markUsed(this.#choose(wanted, excluded).id));',
      to: 'return this.#active.markUsed(this.#choose(wanted, excluded).id);',
    },
    {
      file: 'src/rotation/rotator.ts',
      what: 'a report is made outside of a transaction',
      from: '    this.#db.transaction(() => {\n      this.#proxies.updateStats(id, success, latencyMs);',
      to: '    ((work: () => void): void => work())(() => {\n      this.#proxies.updateStats(id, success, latencyMs);',
    },
    {
      file: 'src/database/repositories/import-matcher.ts',
      what: 'a password goes to another proxy that has come in the place of the one it was for',
      from: 'second === undefined && first?.id === only.id',
      to: 'second === undefined && first !== undefined',
    },
    {
      file: 'src/database/repositories/import-matcher.ts',
      what: 'a password goes to one of two proxies, of which one has come meanwhile',
      from: 'second === undefined && first?.id === only.id',
      to: 'first !== undefined && (second !== undefined || first.id === only.id)',
    },

    // Files that are replaced.
    {
      file: 'src/database/drivers/sqlite/connection.ts',
      what: 'a file is used that a restore has replaced while it was opened',
      from: 'if (fileAt(path) === before) return connection;',
      to: 'return connection;',
    },
    {
      file: 'src/database/drivers/sqlite/exclusive.ts',
      what: 'a file is locked that another restore has replaced meanwhile',
      from: " === 'delete' && identityOf(path) === before) {",
      to: " === 'delete') {",
    },
    {
      file: 'src/database/drivers/sqlite/exclusive.ts',
      what: 'a pool is replaced although another process has opened it since the log was emptied',
      from: "if (connection.pragma('journal_mode', { simple: true }) === 'delete' && identityOf",
      to: 'if (identityOf',
    },
  ],
};
