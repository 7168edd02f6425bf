// Runs in a worker thread, from source text (so that it survives bundling): no imports but node: and the
// better-sqlite3 that the main thread resolved. Answers one query at a time, in chunks that the main
// thread asks for, so that neither thread holds more than two of them.
const { parentPort, workerData } = require('node:worker_threads');
const Database = require(workerData.engine);

const CHUNK_ROWS = 250;
const connection = new Database(workerData.path, {
  readonly: true,
  fileMustExist: true,
  timeout: workerData.busyTimeoutMs,
});
// Tells the main thread that the file is closed, even while that thread is blocked.
const ended = new Int32Array(workerData.ended);
let rows = null;
let columns = [];
// Of the query under way: an answer that crosses a cancellation is told from one to the next query.
let id = 0;

function sendChunk() {
  const chunk = [];
  let done = false;
  while (chunk.length < CHUNK_ROWS) {
    const next = rows.next();
    if (next.done) {
      done = true;
      break;
    }
    chunk.push(next.value.map(asExact));
  }
  if (done) rows = null;
  parentPort.postMessage({ id, type: 'rows', columns, rows: chunk, done });
}

// As in a query of the main thread: an integer that a number cannot hold stays a bigint.
function asExact(value) {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function sendEnd() {
  parentPort.postMessage({ id, type: 'rows', columns: [], rows: [], done: true });
}

function markEnded() {
  Atomics.store(ended, 0, 1);
  Atomics.notify(ended, 0);
}

function stop() {
  if (rows !== null) rows.return();
  rows = null;
}

const handlers = {
  query({ sql, params, ...message }) {
    id = message.id;
    const statement = connection.prepare(sql).raw(true).safeIntegers(true);
    rows = statement.iterate(params);
    columns = statement.columns().map((column) => column.name);
    sendChunk();
  },
  checkpoint(message) {
    id = message.id;
    const writer = new Database(workerData.path, { fileMustExist: true, timeout: 100 });
    try {
      writer.pragma('wal_checkpoint(TRUNCATE)');
    } finally {
      writer.close();
    }
    sendEnd();
  },
  more(message) {
    if (message.id === id && rows !== null) sendChunk();
  },
  cancel(message) {
    if (message.id !== id || rows === null) return;
    stop();
    sendEnd();
  },
  close() {
    stop();
    connection.close();
    markEnded();
    parentPort.close();
  },
};

// After an error too.
process.on('exit', markEnded);

parentPort.on('message', (message) => {
  try {
    handlers[message.type](message);
  } catch (error) {
    stop();
    parentPort.postMessage({ id, type: 'error', name: error.name, code: error.code, message: error.message });
  }
});
