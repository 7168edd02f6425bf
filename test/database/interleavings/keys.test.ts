import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EncryptionService, initDatabase } from 'proxyvault';
import type { KeyRotationProgress } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { atEachStatement, Interleaving } from '../../support/interleaving.ts';
import { time } from '../../support/virtual-time.ts';
import { loginOf } from './actions/action.ts';
import { type KeyName, Party, sourceNamed } from './party.ts';
import { actAwaiting, actNow, inPool } from './stage.ts';

describe('a rotation that another process has ended, and followed by one of its own', () => {
  it('leaves the other one as it is, at whichever transaction it finds out', async () => {
    const stateOf = ({ db }: Party): unknown =>
      db.driver.first('SELECT rotation_key_id, rotation_cursor FROM encryption_config', {}, (row) => ({
        ...row,
      }));
    const stories = await atEachStatement(({ nth }) =>
      inPool(async (path) => {
        let left: unknown;
        await using second = new Party(path, 'first');
        // The first transaction begins the rotation.
        const interleaving = new Interleaving({ nth: nth + 1, of: /^BEGIN IMMEDIATE/ }, () => {
          actNow('rotate and begin again', second);
          left = stateOf(second);
        });
        await using one = new Party(path, 'first', interleaving.log);
        expect(await interleaving.during(() => actAwaiting('rotate, whatever is left', one))).toEqual({
          value: [],
        });
        expect(left).toMatchObject({ rotation_key_id: expect.any(String), rotation_cursor: 'p1' });
        expect(stateOf(second)).toEqual(left);
        interleaving.ranAt = Number(interleaving.ranAt) - 1;
        return interleaving;
      }),
    );
    expect(stories).toBeGreaterThan(4);
  });

  it('does not retire the key that others may still encrypt with: the other one does, when they no longer can', async () => {
    await inPool(async (path) => {
      await using one = new Party(path, 'first');
      await using second = new Party(path, 'first');
      // So that the other one has moved every login when it is interrupted.
      for (const id of ['p2', 'p3']) one.credentials.delete(id);
      let isFirst = true;
      const onProgress = ({ phase }: KeyRotationProgress): void => {
        if (phase === 'verifying' && isFirst) {
          isFirst = false;
          actNow('rotate and begin again', second);
        }
      };
      const { keyId, retired } = await one.encryption.rotate({ onProgress });
      expect(retired).toEqual([]);
      const { keys } = second.encryption.status();
      expect(keys).toMatchObject([
        { keyId, state: 'decrypt-only', rows: 0 },
        { state: 'primary', rows: 1 },
      ]);
      expect(await second.encryption.rotate()).toMatchObject({ resumed: true, retired: [keyId] });
    });
  });
});

describe('a login that another process stores under the old key at the last moment', () => {
  /** Stores it when the rotation waits for such writers, which is as long as they may hold the old key. */
  function storeLate(late: Party, id: string): void {
    late.encryption.encrypt('looks which key is the primary one');
    time.onPause = () => {
      time.onPause = null;
      late.credentials.store(id, loginOf('late'));
    };
    onTestFinished(() => {
      time.onPause = null;
    });
  }

  it('is rotated, although the rotation had found nothing else', async () => {
    await inPool(async (path) => {
      await using one = new Party(path, 'first');
      await using late = new Party(path, 'first');
      for (const id of ['p1', 'p2', 'p3']) one.credentials.delete(id);
      storeLate(late, 'p1');
      const { keyId } = await one.encryption.rotate();
      expect(time.onPause).toBeNull();
      expect(one.encryption.status().keys).toMatchObject([{ keyId, state: 'primary', rows: 1 }]);
      expect(one.credentials.reveal('p1')).toMatchObject(loginOf('late'));
    });
  });

  it('is rotated, although the rotation was resumed behind it', async () => {
    await inPool(async (path) => {
      await using one = new Party(path, 'first');
      await using late = new Party(path, 'first');
      const abort = new AbortController();
      storeLate(late, 'p1');
      const interrupted = one.encryption.rotate({
        batchSize: 1,
        signal: abort.signal,
        onProgress: () => abort.abort(),
      });
      await expect(interrupted).rejects.toThrow();
      const { keyId, resumed } = await one.encryption.rotate();
      expect({ resumed, waiting: time.onPause }).toEqual({ resumed: true, waiting: null });
      const { keys } = one.encryption.status();
      expect(keys.filter(({ rows }) => rows > 0).map((key) => key.keyId)).toEqual([keyId]);
      expect(one.credentials.reveal('p1')).toMatchObject(loginOf('late'));
    });
  });
});

it('the messages of a key that two processes encrypt with are counted together', async () => {
  await inPool(async (path) => {
    await using one = new Party(path, 'first');
    await using second = new Party(path, 'first');
    for (let n = 0; n < 60; n++) for (const party of [one, second]) party.encryption.encrypt(`${n}`);
    const [key] = one.encryption.status().keys;
    expect(key?.messageCount).toBeGreaterThanOrEqual(120);
  });
});

describe.each(['first', 'file'] as const)('the first key (%s)', (key) => {
  const add = (party: Party, port: number): unknown =>
    party.proxies.create({
      id: `n${port}`,
      host: 'h.example',
      port,
      protocol: 'http',
      credentials: loginOf(port),
    });
  const firsts: Record<string, (party: Party) => unknown> = {
    'add a proxy': (party) => add(party, 1),
    'add a proxy in a transaction that is rolled back, and another one': (party) => {
      const undone = new Error('undone');
      const work = (): void => {
        add(party, 3);
        throw undone;
      };
      expect(() => party.db.transaction(work)).toThrow(undone);
      add(party, 1);
    },
    'open, and add a proxy': async (party) => {
      const options = { keySource: sourceNamed(key, party.db.path), database: party.db };
      await EncryptionService.open(options);
      add(party, 1);
    },
    'ask for the status, and add a proxy': (party) => {
      expect(party.encryption.status()).toMatchObject({ problem: null, sourceProblem: null });
      add(party, 1);
    },
    'encrypt, and save': (party) => {
      const encrypted = party.encryption.encrypt(loginOf(1).password);
      party.proxies.create({ id: 'n1', host: 'h.example', port: 1, protocol: 'http' });
      party.credentials.save('n1', encrypted);
    },
    'add a proxy, and make a recovery code': (party) => {
      add(party, 1);
      party.encryption.createRecoveryCode();
    },
    'move the key, and add a proxy': async (party) => {
      await party.encryption.protect(sourceNamed(key === 'file' ? 'file' : 'first', party.db.path));
      add(party, 1);
    },
  };

  it.each(Object.keys(firsts))(
    'is one, if another process makes it at any statement of: %s',
    async (name) => {
      await atEachStatement((place) =>
        inEmptyPool(async (path) => {
          await using second = new Party(path, key);
          const interleaving = new Interleaving(place, () => add(second, 2));
          await using one = new Party(path, key, interleaving.log);
          await interleaving.during(() => firsts[name]?.(one));
          await assertBothReadable(second, key);
          return interleaving;
        }),
      );
    },
  );

  async function assertBothReadable({ db }: Party, key: KeyName): Promise<void> {
    const party = new Party(db, key);
    expect(await party.encryption.verify()).toMatchObject({ ok: true, checked: 2 });
    expect(party.encryption.status()).toMatchObject({ problem: null, keys: [{ state: 'primary', rows: 2 }] });
    for (const n of [1, 2])
      expect(party.credentials.reveal(`n${n}`)).toMatchObject({ password: loginOf(n).password });
  }
});

/** As `inPool`, with a pool that has tables and nothing in them, and no key beside it. */
function inEmptyPool<T>(work: (path: string) => Promise<T>): Promise<T> {
  return inPool(async (template) => {
    const path = join(dirname(template), 'empty.db');
    {
      using db = initDatabase({ path, migrationBackups: 0, durability: 'normal' });
      db.migrations.up();
    }
    try {
      return await work(path);
    } finally {
      rmSync(path);
    }
  });
}
