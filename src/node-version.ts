/**
 * better-sqlite3 13 is built against Node-API 10 and ends a Node without it in a segmentation fault, so this is
 * checked before it is loaded. Node has it from 22.14 and 23.6: https://nodejs.org/api/n-api.html#node-api-version-matrix
 */
const NODE_API = 10;

/** Null where this Node can run proxyvault, else one line that says what to do. */
export function nodeVersionProblem(
  { node, napi }: { node: string; napi?: string | undefined } = process.versions,
): string | null {
  if (Number(napi) >= NODE_API) return null;
  return `proxyvault needs Node 22.14, 23.6 or newer, and this is Node ${node}: install a newer one from https://nodejs.org`;
}
