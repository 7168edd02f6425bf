/** A handler that throws when it is told of a failure has nobody whom it could tell. Its error may hold anything, so it is not repeated. */
export function warnOfHandler(error: unknown): void {
  const what = error instanceof Error ? error.name : typeof error;
  process.emitWarning(`A handler of a dispatcher has thrown: ${what}.`, 'ProxyVaultWarning');
}
