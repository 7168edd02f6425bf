import { dirname, join } from 'node:path';
import { EncryptionService } from 'proxyvault';
import { restoreDatabase } from 'proxyvault/database';
import type { Model } from '../model.ts';
import { type KeyName, sourceNamed } from '../party.ts';
import { Refusal } from '../serial.ts';
import { type Action, needKey } from './action.ts';

const protect = (to: KeyName): Action => ({
  run: async ({ db, encryption }) => encryption.protect(sourceNamed(to, db.path)),
  steps: [
    (model) => {
      needKey(model);
      model.key = to;
      model.pinned = sourceNamed(to, '').kind;
      if (to === 'file') model.hasFile = true;
    },
  ],
  isAsync: true,
});

/** The models whose first recovery code is void. */
const voided = new WeakSet<Model>();
/** The key that was restored. */
const recovered = new WeakMap<Model, KeyName>();

export const KEY_ACTIONS = {
  'look for the first time': {
    run: ({ db }) => {
      const encryption = new EncryptionService({ keySource: sourceNamed('first', db.path), database: db });
      return encryption.status().keys.length > 0 && encryption.decrypt(encryption.encrypt('text'));
    },
    steps: [
      (model) => {
        needKey(model);
        return 'text';
      },
    ],
  },

  // All is under one key then, whatever a process with an older one has stored meanwhile.
  rotate: {
    run: async ({ encryption }) => {
      const { failures } = await encryption.rotate({ batchSize: 2 });
      return { failures, keys: encryption.status().keys.length };
    },
    steps: [needKey, () => ({ failures: [], keys: 1 })],
    isAsync: true,
  },
  'rotate, whatever is left': {
    run: async ({ encryption }) => (await encryption.rotate({ batchSize: 2 })).failures,
    steps: [needKey, () => []],
    isAsync: true,
  },
  'rotate and begin again': {
    run: async ({ encryption }) => {
      await encryption.rotate();
      const stop = new AbortController();
      const onProgress = (): void => stop.abort();
      await encryption.rotate({ batchSize: 1, signal: stop.signal, onProgress }).catch(() => undefined);
    },
    steps: [needKey, () => undefined],
    isAsync: true,
  },
  'rotate twice': {
    run: async ({ encryption }) =>
      [await encryption.rotate({ batchSize: 2 }), await encryption.rotate()].flatMap(
        ({ failures }) => failures,
      ),
    steps: [needKey, () => []],
    isAsync: true,
  },
  verify: {
    run: async ({ encryption }) => (await encryption.verify()).failures,
    steps: [needKey, () => []],
    isAsync: true,
  },
  open: {
    run: async ({ db }) => {
      const opened = await EncryptionService.open({ keySource: sourceNamed('first', db.path), database: db });
      return opened.status().rotation;
    },
    steps: [needKey, () => null],
    isAsync: true,
  },
  'move the key': protect('second'),
  'move the key elsewhere': protect('third'),
  'move the key into a file': protect('file'),
  /** A backup in the folder of the pool, which nobody has open. */
  restore: {
    run: async ({ db }) => {
      db.close();
      await restoreDatabase(join(dirname(db.path), 'backup.db'), db.path, {
        overwrite: true,
        busyTimeoutMs: 0,
      });
    },
    steps: [],
    isAsync: true,
  },
  'make a recovery code': {
    run: ({ encryption }) => typeof encryption.createRecoveryCode(),
    steps: [
      (model) => {
        needKey(model);
        voided.add(model);
        return 'string';
      },
    ],
  },
  recover: {
    run: async ({ db, code }) => {
      const keySource = sourceNamed('file', db.path);
      await EncryptionService.recover({ database: db, code, keySource });
    },
    steps: [
      (model) => {
        if (voided.has(model)) throw new Refusal('KEY_MISMATCH');
        recovered.set(model, model.key);
        model.pinned = 'key file';
        model.hasFile = true;
      },
      (model) => {
        // It opens the pool with the key that it has restored.
        if (recovered.get(model) !== model.key) throw new Refusal('KEY_MISMATCH');
      },
    ],
    mayThrow: 'BUSY',
    isAsync: true,
  },
} satisfies Record<string, Action>;
