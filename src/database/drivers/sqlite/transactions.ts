import { ProxyVaultError } from '../../../errors.ts';
import { patiently } from '../../patience.ts';
import type { Steps } from '../driver.ts';
import { OpenTransaction, type Slicing } from '../transaction.ts';
import { holdHere } from './waiting.ts';
import type { Writer } from './writer.ts';

/** How a transaction or savepoint begins, ends and is undone. */
type Controls = readonly [begin: string, end: string, undo: readonly string[]];

const OUTERMOST: Controls = ['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']];

function savepoint(name: string): Controls {
  return [`SAVEPOINT ${name}`, `RELEASE ${name}`, [`ROLLBACK TO ${name}`, `RELEASE ${name}`]];
}

/**
 * BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. If the engine itself has rolled
 * everything back, the outermost throws the first cause, even if `work` has caught it.
 */
export function atomically<T>(writer: Writer, work: () => T): T {
  return writer.transaction === null
    ? runOutermost(writer, work)
    : runNested(writer, writer.transaction, work);
}

function runOutermost<T>(writer: Writer, work: () => T): T {
  // Somebody may have begun a transaction by hand, with exec(): it is not ours to end.
  const isInside = writer.connection.inTransaction;
  const [begin, commit, undo] = isInside ? savepoint('proxyvault') : OUTERMOST;
  writer.leaveGap();
  writer.control(begin);
  const transaction = new OpenTransaction(isInside);
  writer.transaction = transaction;
  try {
    const result = work();
    writer.control(commit);
    if (!isInside) writer.committed();
    return result;
  } catch (error) {
    rollBack(writer, transaction, undo);
    throw transaction.cause ?? error;
  } finally {
    writer.transaction = null;
    for (const followUp of transaction.followUps) runQuietly(followUp);
  }
}

function runNested<T>(writer: Writer, transaction: OpenTransaction, work: () => T): T {
  const [begin, commit, undo] = savepoint(`proxyvault_${transaction.scope.depth}`);
  writer.control(begin);
  transaction.enter();
  try {
    const result = work();
    writer.control(commit);
    return result;
  } catch (error) {
    rollBack(writer, transaction, transaction.cause === null ? undo : []);
    throw error;
  } finally {
    transaction.leave();
  }
}

/** If the rollback fails, what should be undone must not be committed: the whole transaction is lost. */
function rollBack(writer: Writer, transaction: OpenTransaction, controls: readonly string[]): void {
  transaction.scope.undo();
  writer.changes++;
  // A full disk or an I/O error has rolled back already: https://www.sqlite.org/lang_transaction.html
  if (!writer.connection.open || !writer.connection.inTransaction) return;
  try {
    for (const sql of controls) writer.runControl(sql);
  } catch (error) {
    transaction.lose(writer.failed(error));
  }
}

/**
 * As a transaction over `steps`, but between two of them it awaits what `pause` gives, so that the event loop has its turn.
 * Every statement of this connection is the transaction's until it ends: it must have no other user.
 */
export async function transactionInSlices<T>(
  writer: Writer,
  steps: () => Steps<'sync', T>,
  { pause, assertWanted }: Slicing,
): Promise<T> {
  await patiently(() => {
    assertWanted();
    writer.control('BEGIN IMMEDIATE');
  });
  const transaction = new OpenTransaction();
  writer.transaction = transaction;
  try {
    using _ = holdHere(writer.patience.path);
    const generator = steps();
    let step = generator.next();
    while (!step.done) {
      const turn = pause();
      if (turn) {
        await turn;
        assertWanted();
      }
      step = generator.next(step.value);
    }
    assertWanted();
    writer.control('COMMIT');
    return step.value;
  } catch (error) {
    rollBack(writer, transaction, ['ROLLBACK']);
    throw transaction.cause ?? error;
  } finally {
    writer.transaction = null;
    // They wait for the lock too; once the transaction is not wanted any more, each is tried once.
    for (const followUp of transaction.followUps) {
      const attempt = (): void => {
        try {
          followUp();
        } catch (error) {
          assertWanted();
          throw error;
        }
      };
      await patiently(attempt).catch(ignoreTyped);
    }
  }
}

function runQuietly(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    ignoreTyped(error);
  }
}

function ignoreTyped(error: unknown): void {
  if (!(error instanceof ProxyVaultError)) throw error;
}
