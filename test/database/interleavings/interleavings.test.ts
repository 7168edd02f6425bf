import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { atEachStatement, Interleaving, type Place } from '../../support/interleaving.ts';
import type { Action } from './actions/action.ts';
import { ACTIONS, type ActionName, seen } from './actions/actions.ts';
import { assertSound, read, readAsNewProcess } from './model.ts';
import { Party } from './party.ts';
import { inSomeOrder, type Outcome } from './serial.ts';
import { actAwaiting, actNow, code, initial, inPool } from './stage.ts';
import { CASES, OPERATIONS } from './stories.ts';

describe.each(CASES)('$first, while another process comes $where: $other', ({ first, other, of }) => {
  it('is as if one had come after the other', async () => {
    await atEachStatement((place) => tell(first, other, place), of);
  });
});

describe.each(OPERATIONS)('%s', (name) => {
  it('is seen by others as it was before or as it is after, at each statement', async () => {
    await inPool(async (path) => {
      await using reader = new Party(path, 'first');
      const looks: unknown[] = [];
      await using party = new Party(path, 'first', () => looks.push(read(reader)));
      party.code = code;
      looks.length = 0;
      const outcome = await actAwaiting(name, party);
      const told = inSomeOrder(initial, ACTIONS[name] as Action, { steps: [seen] });
      expect(outcome).toEqual(told[0]?.ours);
      const expected = told.map(({ theirs }) => 'value' in theirs && theirs.value);
      for (const each of looks)
        if (!expected.some((one) => isDeepStrictEqual(one, each))) expect(each).toEqual(expected[0]);
    });
  });
});

function tell(first: ActionName, other: ActionName, place: Place): Promise<Interleaving> {
  return inPool(async (path) => {
    let theirs: Outcome = { code: 'never' };
    await using second = new Party(path, 'first');
    const interleaving = new Interleaving(place, () => {
      theirs = actNow(other, second);
    });
    await using one = new Party(path, 'first', interleaving.log);
    one.code = code;
    // A process that knows the keys from before.
    second.early = second.encryption.encrypt('early');
    const ours = await interleaving.during(() => actAwaiting(first, one));
    const { model, party } = readAsNewProcess(second.db);
    const found = { ours, theirs, model };
    const told = inSomeOrder(initial, ACTIONS[first] as Action, ACTIONS[other] as Action);
    const before = interleaving.statement;
    if (!told.some((each) => isDeepStrictEqual(each, found)))
      expect({ before, ...found }).toEqual({ before, ...told[0] });
    await assertSound(party, model);
    return interleaving;
  });
}
