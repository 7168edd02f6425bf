/** The signals by which a person or a program ends a command, and after which it still has work to do. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** Ends this process as a signal does that is sent to it. */
export function endBySignal(signal: EndingSignal): void {
  if (!process.emit(signal, signal)) process.kill(process.pid, signal);
}
