/** The signals by which a person or a program ends a command that may still clean up. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** Ends this process as if the signal had been sent to it. */
export function endBySignal(signal: EndingSignal): void {
  if (!process.emit(signal, signal)) process.kill(process.pid, signal);
}
