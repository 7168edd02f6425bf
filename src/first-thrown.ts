/** What was thrown first, if letting go of a resource (`using`) has failed after it: nobody would look into a SuppressedError. */
export function firstThrown(error: unknown): unknown {
  const isSuppressed = error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error;
  return isSuppressed ? firstThrown(error.suppressed) : error;
}
