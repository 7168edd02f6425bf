import { ProxyVaultError } from '../../../errors.ts';
import { invalidInput } from '../../../model/validation.ts';
import type { VacuumResult } from '../driver.ts';
import { sizeOf } from './log-file.ts';
import { isHeldHere } from './waiting.ts';
import type { Writer } from './writer.ts';

/** How long it waits for readers: one that takes longer is a stream or a backup. */
const MOST_WAIT_MS = 2000;

/**
 * Writes the whole file again without the pages that deleted rows have left. https://www.sqlite.org/lang_vacuum.html
 *
 * Who still reads is found out before: the file cannot shrink then, and its log would only grow.
 */
export function vacuum(writer: Writer): VacuumResult {
  writer.assertUsable();
  if (writer.inTransaction)
    throw invalidInput('A database cannot be vacuumed inside its own transaction: return from it first.');
  if (writer.readers.isStreaming)
    throw busy(writer, 'an iterate() loop of this program still reads: finish it or leave it, and repeat');
  if (!empty(writer))
    throw busy(writer, 'another program still uses it: wait until it is done, or close it, and repeat');
  const before = bytesOf(writer);
  writer.attempt(() => writer.connection.exec('VACUUM'), 'VACUUM');
  const complete = empty(writer);
  return { freedBytes: Math.max(0, before - bytesOf(writer)), complete };
}

/** Says whether everything is in the file now, and nothing in its log. */
function empty(writer: Writer): boolean {
  const { wal, patience } = writer;
  const { path, timeoutMs } = patience;
  if (wal === null) return true;
  try {
    return wal.empty(isHeldHere(path) ? 0 : Math.min(timeoutMs, MOST_WAIT_MS)).complete;
  } catch (error) {
    throw writer.failed(error);
  }
}

function busy({ patience: { path } }: Writer, why: string): ProxyVaultError {
  const message = `The database cannot be vacuumed, since ${why}. Nothing was changed (${path}).`;
  return new ProxyVaultError('BUSY', message, { details: { path } });
}

function bytesOf({ patience: { path } }: Writer): number {
  return path === ':memory:' ? 0 : sizeOf(path) + sizeOf(`${path}-wal`);
}
