import { setTimeout } from 'node:timers/promises';

import { ask } from '../client.ts';
import type { Stage } from '../stage.ts';
import { line, say } from '../story.ts';

/** Short, so that one sees proxies come back. By default it is 30 seconds, and twice as long each next time. */
export const COOLDOWN_MS = 1_500;
/** What it may take at most, for a machine that is very busy. */
const MOST_MS = 6_000;
const EVERY_MS = 50;

/** Proxies that are out for everything work again: the pool finds out by itself. */
export async function recovery({ gateway: { port }, world, news }: Stage): Promise<void> {
  const dead = [...news.out];
  for (const name of dead) await world.upstream(name).behave('work');
  say(
    `All that are out are started again. A cooldown takes ${COOLDOWN_MS} ms here; then one request tries the proxy`,
  );
  const since = performance.now();
  const passed = (): number => performance.now() - since;
  for (let number = 0; news.out.size > 0 && passed() < MOST_MS; number++) {
    await ask({ url: `http://news.example/${number}`, port });
    await setTimeout(EVERY_MS);
  }
  const states = dead.map((name) => `${name} is ${news.out.has(name) ? 'still out' : 'back'}`);
  line(`After ${(passed() / 1000).toFixed(1)} s ${states.join(', ')}.`);
}
