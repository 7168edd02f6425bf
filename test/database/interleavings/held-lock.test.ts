import { isDeepStrictEqual } from 'node:util';
import { EncryptionService } from 'proxyvault';
import type { KeyRotationProgress } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { atEachStatement, Interleaving, WRITES } from '../../support/interleaving.ts';
import { time } from '../../support/virtual-time.ts';
import type { Action } from './actions/action.ts';
import { ACTIONS, type ActionName } from './actions/actions.ts';
import { assertSound, readAsNewProcess } from './model.ts';
import { Party, sourceNamed } from './party.ts';
import { inSomeOrder } from './serial.ts';
import { actAwaiting, code, initial, inPool } from './stage.ts';
import { OPERATIONS } from './stories.ts';

/** They wait by themselves, however short the busy timeout is: a long job must not fail because one batch came too late. */
const PATIENT: readonly ActionName[] = [
  'rotate',
  'rotate, whatever is left',
  'open',
  'import',
  'import in batches',
  'sync',
  'sync in batches',
];

/** Another process begins a transaction, and ends it while the first waits: in the first pause, or after this long. */
function holdLock({ db }: Party, milliseconds = 0): void {
  db.driver.exec('BEGIN IMMEDIATE');
  const until = time.now() + milliseconds;
  time.onPause = () => {
    if (time.now() >= until) release();
    else time.advance(100);
  };
  const release = (): void => {
    time.onPause = null;
    if (db.driver.inTransaction) db.driver.exec('ROLLBACK');
  };
  onTestFinished(release);
}

describe.each(OPERATIONS)('%s', (name) => {
  const isPatient = PATIENT.includes(name);

  it(`${isPatient ? 'waits' : 'is BUSY, and has changed nothing,'} while another process has the lock`, async () => {
    await atEachStatement(
      (place) =>
        inPool(async (path) => {
          await using second = new Party(path, 'first');
          const interleaving = new Interleaving(place, () => holdLock(second));
          await using one = new Party(path, 'first', interleaving.log);
          one.code = code;
          const ours = await interleaving.during(() => actAwaiting(name, one));
          time.onPause?.(0);
          if (second.db.driver.inTransaction) second.db.driver.exec('ROLLBACK');
          const { model, party } = readAsNewProcess(second.db);
          const [done] = inSomeOrder(initial, ACTIONS[name] as Action, { steps: [] });
          const failed = { ours: { code: 'BUSY' }, theirs: done?.theirs, model: initial };
          const allowed = interleaving.isAtEnd ? [done] : isPatient ? [done] : [done, failed];
          const found = { ours, theirs: done?.theirs, model };
          const before = interleaving.statement;
          if (!allowed.some((each) => isDeepStrictEqual(each, found)))
            expect({ before, ...found }).toEqual({ before, ...allowed.at(-1) });
          await assertSound(party, model);
          return interleaving;
        }),
      WRITES,
    );
  });
});

describe('a rotation that another process keeps out', () => {
  /** Holds the lock for so long from the first batch on. */
  const rotateAgainst = (path: string, milliseconds: number): Promise<unknown> => {
    const second = new Party(path, 'first');
    const one = new Party(path, 'first');
    onTestFinished(() => second[Symbol.asyncDispose]());
    onTestFinished(() => one[Symbol.asyncDispose]());
    let isHeld = false;
    const onProgress = ({ phase }: KeyRotationProgress): void => {
      if (phase === 'encrypting' && !isHeld) holdLock(second, milliseconds);
      isHeld = true;
    };
    return one.encryption.rotate({ batchSize: 1, onProgress });
  };

  it('waits for half a minute', async () => {
    await inPool(async (path) => {
      expect(await rotateAgainst(path, 29_000)).toMatchObject({ rotated: 3, failures: [] });
    });
  });

  it('is BUSY then, and the next process that opens the pool continues it, but does not fail if it is kept out too', async () => {
    await inPool(async (path) => {
      await expect(rotateAgainst(path, 70_000)).rejects.toMatchObject({ code: 'BUSY' });
      await using party = new Party(path, 'first');
      const options = { keySource: sourceNamed('first', path), database: party.db };
      expect((await EncryptionService.open(options)).status()).toMatchObject({ rotation: { left: 2 } });
      expect((await EncryptionService.open(options)).status()).toMatchObject({ rotation: null });
    });
  });
});
