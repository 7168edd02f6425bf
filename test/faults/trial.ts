/**
 * A trial runs in a child process, so that a crash or a hang is a result too. The child (`serveTrials`) makes trial after
 * trial, each from the seed and its number alone, and says when it begins one and what came out; the parent (trials.ts)
 * decides when there were enough. `node SCRIPT SEED NUMBER` repeats one.
 */
import { writeSync } from 'node:fs';
import { Random } from './random.ts';

export interface Verdict {
  /** What was tried, for a person. */
  name: string;
  /** What was wrong; null if nothing was. */
  problem: string | null;
  /** That the fault never came, as when the call that was to fail was not made. */
  isIdle?: boolean;
}

export type Message = { begins: number } | { tries: string } | { ended: number; verdict: Verdict };

/** Makes trials from number `from` on, without end; or only that of `only`. Each says what it tries before it does. */
export async function serveTrials(
  trial: (number: number, random: Random, tries: (name: string) => void) => Promise<Verdict>,
): Promise<void> {
  const [seed = '1', only, from = only ?? '0'] = process.argv.slice(2);
  for (let number = Number(from === '-' ? 0 : from); ; number++) {
    say({ begins: number });
    const random = new Random(Number(seed) ^ Math.imul(number + 1, 0x9e3779b1));
    const verdict = await trial(number, random, (name) => say({ tries: name }));
    say({ ended: number, verdict });
    if (only !== undefined && only !== '-') return;
  }
}

function say(message: Message): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
