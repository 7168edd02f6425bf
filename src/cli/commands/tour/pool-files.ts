import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where a tour has its pool and its key, as a person types it and in full. */
export const DB = join('data', 'tour.db');
export const KEY = join('data', 'tour.key');

export interface PoolFiles {
  path: string;
  keyFile: string;
}

/** The files of a tour, after those of the last one were removed. */
export function newPoolFiles(): PoolFiles {
  const [path, keyFile] = [resolve(DB), resolve(KEY)];
  for (const file of [path, `${path}-wal`, `${path}-shm`, keyFile]) rmSync(file, { force: true });
  return { path, keyFile };
}

/** A sentence on how many of these secrets are in the file as they are. */
export function leaksIn(path: string, secrets: readonly string[]): string {
  const bytes = readFileSync(path, 'latin1');
  const leaked = secrets.filter((secret) => bytes.includes(Buffer.from(secret).toString('latin1'))).length;
  return `${secrets.length} passwords of the list were looked for in the ${bytes.length} bytes of the file: ${leaked} found.`;
}

/** How the program is called in a clone, and without an installation, by what npm says of itself. */
const PROGRAMS: Record<string, string> = { start: 'npm start --', npx: 'npx proxyvault' };

/** How the user calls the program. */
export function programName(): string {
  return PROGRAMS[process.env.npm_lifecycle_event ?? ''] ?? 'proxyvault';
}
