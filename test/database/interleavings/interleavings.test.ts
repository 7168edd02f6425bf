import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { createSyncFn } from 'synckit';
import { afterAll, describe, expect, it } from 'vitest';
import { SCRATCH } from '../../faults/scratch.ts';
import { atEachStatement, Interleaving, type Place } from '../../support/interleaving.ts';
import { time } from '../../support/virtual-time.ts';
import { ACTIONS, type Action, type ActionName, makeTemplate } from './actions.ts';
import { assertSound, type Model, type Outcome, outcomeOf, Refusal, read, readAnew } from './model.ts';
import type { Done, Request } from './other-process.worker.ts';
import { Party } from './party.ts';
import { CASES, OPERATIONS } from './stories.ts';

time.install();
const folder = mkdtempSync(join(SCRATCH, 'proxyvault-interleavings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const template = join(folder, 'template.db');
let made = 0;
let stories = 0;
afterAll(() => console.log(stories, 'stories', process.cpuUsage()));
const initial = await makeTemplate(template);

const askOther = createSyncFn<(request: Request) => Promise<Done>>(
  new URL('./other-process.worker.ts', import.meta.url),
  { execArgv: [] },
);

describe.each(CASES)('$first, while another process comes $where: $other', ({ first, other, of }) => {
  it('is as if one had come after the other', async () => {
    stories += await atEachStatement((place) => tell(first, other, place), of);
  });
});

describe.each(OPERATIONS)('%s', (name) => {
  it('is seen by others as it was before or as it is after, at each statement', async () => {
    await inPool(async (path) => {
      await using reader = new Party(path, 'first');
      const seen: unknown[] = [];
      const look = (): void => void seen.push(read(reader));
      await using party = new Party(path, 'first', look);
      const outcome = await actAwaiting(ACTIONS[name], party);
      expect(outcome).toEqual(predictions(ACTIONS[name], { run: () => null, steps: [] })[0]?.ours);
      const expected = predictions(ACTIONS[name], {
        run: () => null,
        steps: [({ key: _, ...model }) => structuredClone(model)],
      }).map(({ theirs }) => 'value' in theirs && theirs.value);
      expect(seen).toEqual(seen.map(() => expect.toBeOneOf(expected)));
    });
  });
});

/** Runs `work` on a pool of its own, a copy of the template. */
async function inPool<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, `${made++}.db`);
  copyFileSync(template, path);
  try {
    return await work(path);
  } finally {
    for (const suffix of ['', '-wal', '-shm', '.key']) rmSync(`${path}${suffix}`, { force: true });
  }
}

function tell(first: ActionName, other: ActionName, place: Place): Promise<Interleaving> {
  return inPool(async (path) => {
    let theirs: Outcome = { code: 'never' };
    await using second = new Party(path, 'first');
    const interleaving = new Interleaving(place, () => {
      theirs = actNow(other, second, path);
    });
    await using one = new Party(path, 'first', interleaving.log);
    // A process that knows the keys from before.
    second.early = second.encryption.encrypt('early');
    const ours = await interleaving.during(() => actAwaiting(ACTIONS[first], one));
    const { model, party } = readAnew(second.db);
    const found = { ours, theirs, model };
    const told = predictions(ACTIONS[first], ACTIONS[other]);
    if (!told.some((each) => isDeepStrictEqual(each, found)))
      expect({ before: interleaving.statement, ...found }).toEqual({
        before: interleaving.statement,
        ...told[0],
      });
    await assertSound(party, model);
    return interleaving;
  });
}

/** What the first and the other may give and leave: the other comes before, between or after the steps of the first. */
function predictions(first: Action, other: Action): { ours: Outcome; theirs: Outcome; model: Model }[] {
  const told = [...first.steps, null].map((_, at) => {
    const model = structuredClone(initial);
    const begun = take(model, first.steps.slice(0, at));
    const theirs = take(model, other.steps);
    const ours = 'code' in begun || at === first.steps.length ? begun : take(model, first.steps.slice(at));
    return { ours, theirs, model };
  });
  const alone = (steps: Action['steps']): { outcome: Outcome; model: Model } => {
    const model = structuredClone(initial);
    return { outcome: take(model, steps), model };
  };
  if (first.mayThrow !== undefined) {
    const { outcome, model } = alone(other.steps);
    told.push({ ours: { code: first.mayThrow }, theirs: outcome, model });
  }
  if (other.mayThrow !== undefined) {
    const { outcome, model } = alone(first.steps);
    told.push({ ours: outcome, theirs: { code: other.mayThrow }, model });
  }
  return told;
}

function take(model: Model, steps: readonly ((model: Model) => unknown)[]): Outcome {
  try {
    let value: unknown;
    for (const step of steps) value = step(model);
    return { value };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.message };
    throw error;
  }
}

/** What another process does while the first waits at a statement. */
function actNow(name: ActionName, party: Party, path: string): Outcome {
  const action: Action = ACTIONS[name];
  if (action.isAsync) {
    // It would wait for the lock, and for ever: so it comes when the lock is free.
    party.db.transaction(() => undefined);
    // To open a pool that has a log takes a process.
    party.db.checkpoint();
    const { outcome, now } = askOther({ path, name, now: time.now() });
    time.advance(now - time.now());
    return outcome;
  }
  try {
    return { value: action.run(party) };
  } catch (error) {
    const outcome = outcomeOf(error);
    if ('code' in outcome && outcome.code === 'BUSY') throw error;
    return outcome;
  }
}

async function actAwaiting(action: Action, party: Party): Promise<Outcome> {
  try {
    return { value: await action.run(party) };
  } catch (error) {
    return outcomeOf(error);
  }
}
