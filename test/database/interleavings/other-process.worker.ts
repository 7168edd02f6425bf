/** Another process, as it were: does what takes turns of an event loop, while the first waits at one of its statements. */
import { runAsWorker } from 'synckit';
import { time } from '../../support/virtual-time.ts';
import { ACTIONS, type ActionName } from './actions/actions.ts';
import { outcomeOf } from './model.ts';
import { Party } from './party.ts';
import type { Outcome } from './serial.ts';

export interface Request {
  path: string;
  name: ActionName;
  /** What time it is. */
  now: number;
}

export interface Done {
  outcome: Outcome;
  /** What time it is then. */
  now: number;
}

time.install();

runAsWorker(async ({ path, name, now }: Request): Promise<Done> => {
  time.advance(now - time.now());
  await using party = new Party(path, 'first');
  try {
    return { outcome: { value: await ACTIONS[name].run(party) }, now: time.now() };
  } catch (error) {
    return { outcome: outcomeOf(error), now: time.now() };
  }
});
