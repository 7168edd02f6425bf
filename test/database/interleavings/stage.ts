/** Where the stories are told: pools that are copies of one, and the other process. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createSyncFn } from 'synckit';
import { afterAll } from 'vitest';
import { SCRATCH } from '../../faults/scratch.ts';
import { time } from '../../support/virtual-time.ts';
import type { Action } from './actions/action.ts';
import { ACTIONS, type ActionName } from './actions/actions.ts';
import { makeTemplate } from './actions/template.ts';
import { outcomeOf } from './model.ts';
import type { Done, Request } from './other-process.worker.ts';
import type { Party } from './party.ts';
import type { Outcome } from './serial.ts';

time.install();
const folder = mkdtempSync(join(SCRATCH, 'proxyvault-interleavings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const template = join(folder, 'template.db');
let made = 0;

/** What is in the pools, and the recovery code of their key. */
export const { model: initial, code } = await makeTemplate(template);

/** Runs `work` on a pool of its own, in a folder of its own. */
export async function inPool<T>(work: (path: string) => Promise<T>): Promise<T> {
  const own = mkdtempSync(join(folder, `${made++}-`));
  const path = join(own, 'pool.db');
  copyFileSync(template, path);
  try {
    return await work(path);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Does something in a thread of its own, with a connection of its own, and waits for it at once. */
const askOther = createSyncFn<(request: Request) => Promise<Done>>(
  new URL('./other-process.worker.ts', import.meta.url),
  { execArgv: [] },
);

export function inOtherProcess(path: string, name: ActionName): Outcome {
  const { outcome, now } = askOther({ path, name, now: time.now() });
  time.advance(now - time.now());
  return outcome;
}

/** What another process does while the first waits at a statement. @throws BUSY if the first has the lock. */
export function actNow(name: ActionName, party: Party): Outcome {
  const action: Action = ACTIONS[name];
  if (action.isAsync) {
    // It would wait for the lock, and for ever: so it comes when the lock is free.
    party.db.transaction(() => undefined);
    // To open a pool that has a log takes a process.
    party.db.checkpoint();
    return inOtherProcess(party.db.path, name);
  }
  try {
    return { value: action.run(party) };
  } catch (error) {
    const outcome = outcomeOf(error);
    if ('code' in outcome && outcome.code === 'BUSY') throw error;
    return outcome;
  }
}

export async function actAwaiting(name: ActionName, party: Party): Promise<Outcome> {
  try {
    return { value: await ACTIONS[name].run(party) };
  } catch (error) {
    return outcomeOf(error);
  }
}
