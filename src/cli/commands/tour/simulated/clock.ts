export interface SimulatedClock {
  now: () => number;
  advance: (milliseconds: number) => void;
}

/** Begins so many milliseconds ago. */
export function simulatedClock(ago: number): SimulatedClock {
  let time = Date.now() - ago;
  return {
    now: () => time,
    advance: (milliseconds) => {
      time += milliseconds;
    },
  };
}

/** Numbers from 0 to 1 that are the same each time (a linear congruential generator, Numerical Recipes). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
