/** better-sqlite3 13 ends older Nodes with a segmentation fault, so this is checked before it is loaded. */
const MINIMUM = [22, 12] as const;

/** Null where this Node can run proxyvault, else one line that says what to do. */
export function nodeVersionProblem(version: string = process.versions.node): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return null;
  return `proxyvault needs Node ${MINIMUM.join('.')} or newer, and this is Node ${version}: install a newer Node from https://nodejs.org`;
}
