/** Faults that show only if another process comes between two statements. */
export default {
  tests: ['test/database/interleavings', 'test/database/waiting', 'test/transfer/identity'],
  faults: [
    // Key rotation.
    {
      file: 'src/database/services/key-store.ts',
      what: 'a rotation does not look whether another process has ended it before it counts messages',
      from: 'if ((yield* step(this.#config.get()))?.rotation?.keyId !== keyId) return false;',
      to: '',
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
      from: 'await patientlyIn(() => store.beginKeyRotation())',
      to: 'await settled(driver.transaction(() => store.beginKeyRotation()))',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation that cannot have the lock at once fails in a batch',
      from: 'await patientlyIn(() => store.storeRotated(keyId, after, replacements))',
      to: 'await settled(session.driver.transaction(() => store.storeRotated(keyId, after, replacements)))',
    },
    {
      file: 'src/database/services/key-rotation.ts',
      what: 'a rotation that cannot have the lock at once fails when it retires keys',
      from: 'await patientlyIn(() => store.retireKeys(keyId))',
      to: 'await settled(driver.transaction(() => store.retireKeys(keyId)))',
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
      from: 'if (data.keyId !== undefined) yield* assertKeyOfDatabase(this.db, proxyId, data.keyId);',
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
      file: 'src/database/services/database-cipher.ts',
      what: 'a process never looks whether its primary key is still the primary',
      from: 'if (id === keys.primary.id) {',
      to: 'if (id !== null) {',
    },
    {
      file: 'src/database/services/key-store.ts',
      what: 'the configuration is read before the keys',
      from: '    const records = yield* step(this.#keys.findAll());\n    const config = yield* step(this.#config.get());',
      to: '    const config = yield* step(this.#config.get());\n    const records = yield* step(this.#keys.findAll());',
    },
    {
      file: 'src/database/services/database-cipher.ts',
      what: 'a reader does not look for a key that another process has made',
      from: '    const keys = yield* this.refresh();\n    const found',
      to: '    const keys = this.#keyset ?? (yield* this.refresh());\n    const found',
    },
    {
      file: 'src/database/services/key-store.ts',
      what: 'credentials are foreign if the first key was made after the keys were read',
      from: '    const again = yield* this.load();',
      to: '    const again = keys;',
    },
    {
      file: 'src/database/services/message-budget.ts',
      what: 'a key that was retired meanwhile is said to be exhausted',
      from: '    if (!(yield* this.#store.has(keyId))) return false;\n',
      to: '',
    },

    // Moving keys.
    {
      file: 'src/database/services/key-moves.ts',
      what: 'a key is recovered that another process has replaced since',
      from: 'if (now?.wrapped.wrappedKey !== wrapped.wrappedKey) {',
      to: 'if (now === null) {',
    },

    // Migrations.
    {
      file: 'src/database/migrations/runner.ts',
      what: 'compatibility is not checked again under the lock',
      from: '      known.assertCompatible(lines);\n      yield* work(lines);',
      to: '      yield* work(lines);',
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
      from: '      return this.#underLock((lines) => this.#revertAll(withoutBase(lines).slice(-steps)));',
      to: '      const runner = this;\n      return (function* (): Steps<M, void> {\n        const lines = yield* step(runner.#ledger.read());\n        yield* runner.#underLock(() => runner.#revertAll(withoutBase(lines).slice(-steps)));\n      })();',
    },
    {
      file: 'src/database/migrations/ledger.ts',
      what: 'the ledger is not read in one snapshot',
      from: 'return this.#engine.snapshot(() => this.#read());',
      to: 'return this.#engine.driver.sequence(() => this.#read());',
    },

    // Transactions and waiting.
    {
      file: 'src/database/drivers/sqlite/transactions.ts',
      what: 'a transaction takes the lock at its first write',
      from: "= ['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']]",
      to: "= ['BEGIN', 'COMMIT', ['ROLLBACK']]",
    },
    {
      file: 'src/database/drivers/sqlite/transactions.ts',
      what: 'a long transaction takes the lock at its first write',
      from: "    writer.control('BEGIN IMMEDIATE');",
      to: "    writer.control('BEGIN');",
    },
    {
      file: 'src/database/drivers/sqlite/driver.ts',
      what: 'a snapshot does not begin',
      from: "    this.#writer.control('BEGIN');\n",
      to: '',
    },
    {
      file: 'src/database/drivers/sqlite/transactions.ts',
      what: 'a long transaction that cannot have the lock at once fails',
      from: 'await patiently(() => {\n    assertWanted();',
      to: 'await Promise.resolve().then(() => {\n    assertWanted();',
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
      file: 'src/rotation/report.ts',
      what: 'a report is made outside of a transaction',
      from: 'driver.transaction(function* () {\n        const hasEnded',
      to: 'driver.sequence(function* () {\n        const hasEnded',
    },
    {
      file: 'src/database/repositories/import-matcher.ts',
      what: 'a password goes to another proxy that has come in the place of the one it was for',
      from: 'second === undefined && first?.id === only',
      to: 'second === undefined && first !== undefined',
    },
    {
      file: 'src/database/repositories/import-matcher.ts',
      what: 'a password goes to one of two proxies, of which one has come meanwhile',
      from: 'second === undefined && first?.id === only',
      to: 'first !== undefined && (second !== undefined || first.id === only)',
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
