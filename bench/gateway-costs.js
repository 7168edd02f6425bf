// The side of a process that gateway.js measures: it tells its processor time and its memory.
import { memoryHeld } from './memory.js';

/** Answers each message: `time` with microseconds, `memory` with MB. Only a process with `--expose-gc` can be asked for its memory. */
export function answerCosts() {
  process.on('disconnect', () => process.exit());
  process.on('message', async (question) => {
    if (question === 'memory') process.send(await memoryHeld());
    else {
      const { user, system } = process.cpuUsage();
      process.send(user + system);
    }
  });
}
