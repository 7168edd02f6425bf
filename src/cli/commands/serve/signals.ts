import { endBySignal } from '../../ending-signals.ts';

/** They end a server once its clients are done. SIGQUIT ends it at once. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface EndingSignal extends Disposable {
  /** The name of the first signal. */
  first: Promise<string>;
}

/** Waits for a signal to end. A second one ends the process at once, as if nobody listened. */
export function endingSignal(): EndingSignal {
  const { promise: first, resolve } = Promise.withResolvers<string>();
  let isEnding = false;
  const handlers = SIGNALS.map((signal) => {
    const handler = (): void => {
      if (isEnding) {
        stop();
        endBySignal(signal);
        return;
      }
      isEnding = true;
      resolve(signal);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  const stop = (): void => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
  return { first, [Symbol.dispose]: stop };
}
