import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';

const inWork = new AsyncLocalStorage<Set<number>>();

/** Expects that a piece of work leaves neither a socket nor a timer, also no timer that would let the process end. */
export function leavingNothing<T>(work: () => Promise<T>): Promise<T> {
  return leaving(work, true);
}

/** As {@link leavingNothing}, for work with undici, which has a timer of its own for all that it does. */
export function leavingNoSocket<T>(work: () => Promise<T>): Promise<T> {
  return leaving(work, false);
}

async function leaving<T>(work: () => Promise<T>, isTimed: boolean): Promise<T> {
  const timers = new Set<number>();
  const hook = createHook({
    init(id, type) {
      if (isTimed && type === 'Timeout') inWork.getStore()?.add(id);
    },
    destroy(id) {
      timers.delete(id);
    },
  }).enable();
  try {
    // Those of an earlier test are closed by now, or soon.
    for (let turns = 0; turns < 200 && sockets() !== ''; turns++) await turn();
    const before = sockets();
    const value = await inWork.run(timers, work);
    // A socket that was destroyed is closed some turns later.
    for (let turns = 0; turns < 2_000 && (sockets() !== before || timers.size > 0); turns++) await turn();
    expect([sockets(), timers.size]).toEqual([before, 0]);
    return value;
  } finally {
    hook.disable();
  }
}

function sockets(): string {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /^(?:TCP|TLS|GetAddrInfo)/.test(name) && name !== 'TCPServerWrap')
    .toSorted()
    .join();
}
