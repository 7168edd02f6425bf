import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** What a write-ahead log says about the database that it belongs to. */
export interface LogSummary {
  /** Differs after each restart of the log. */
  id: string;
  pageSize: number;
  /** Pages of the database after the last commit that was read. */
  pageCount: number;
  /** What the log has of the first page; null if it does not have that page. */
  firstPage: { counter: number; headers: ReadonlySet<string> } | null;
  /** Whether the whole log was read. */
  complete: boolean;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** As many pages as a log usually has. A longer log is judged by its beginning, so that opening a pool stays fast. */
const MOST_FRAMES = 1000;

/**
 * Reads the committed frames of a log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. SQLite takes no lock
 * on a log, so opening it here drops none.
 *
 * @returns null if there is no committed transaction, or the log cannot be read: SQLite then ignores it or reports it.
 */
export function summarizeLog(path: string): LogSummary | null {
  try {
    const descriptor = openSync(path, 'r');
    try {
      return readLog(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
}

function readLog(descriptor: number): LogSummary | null {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
  const magic = header.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return null;
  const sum = new Checksum(magic === 0x377f0683);
  if (!sum.add(header, 0, 24).matches(header, 24)) return null;
  const salt = header.subarray(16, 24);
  const pageSize = header.readUInt32BE(8);
  if (pageSize < 512 || pageSize > 65_536) return null;
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageSize);
  let summary: LogSummary | null = null;
  let counter: number | null = null;
  const headers = new Set<string>();
  for (let n = 0; n < MOST_FRAMES; n++) {
    const read = readSync(descriptor, frame, 0, frame.length, HEADER_BYTES + n * frame.length);
    const isValid =
      read === frame.length &&
      frame.subarray(8, 16).equals(salt) &&
      sum.add(frame, 0, 8).add(frame, FRAME_HEADER_BYTES, pageSize).matches(frame, 16);
    if (!isValid) return summary && { ...summary, complete: true };
    if (frame.readUInt32BE(0) === 1) {
      const page = frame.subarray(FRAME_HEADER_BYTES);
      counter ??= changeCounterOf(page);
      headers.add(changingHeaderOf(page));
    }
    const pageCount = frame.readUInt32BE(4);
    // The last frame of a transaction has the page count, every other frame has 0.
    if (pageCount === 0) continue;
    const firstPage = counter === null ? null : { counter, headers };
    summary = { id: header.toString('hex'), pageSize, pageCount, firstPage, complete: false };
  }
  return summary;
}

/** Of a first page, the number that grows by at most one with each change of that page. */
export function changeCounterOf(page: Buffer): number {
  return page.readUInt32BE(24);
}

/** Of a first page, the part of the header that says which state of the database it is. */
export function changingHeaderOf(page: Buffer): string {
  return page.toString('hex', 24, 96);
}

/** The cumulative checksum of a log. */
class Checksum {
  readonly #bigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  add(bytes: Buffer, start: number, length: number): this {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
    for (let at = 0; at < length; at += 8) {
      this.#first = (this.#first + view.getUint32(at, !this.#bigEndian) + this.#second) >>> 0;
      this.#second = (this.#second + view.getUint32(at + 4, !this.#bigEndian) + this.#first) >>> 0;
    }
    return this;
  }

  matches(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#first && bytes.readUInt32BE(at + 4) === this.#second;
  }
}

/** The bytes of a file; 0 if it is missing. By name: closing a descriptor of a database would drop SQLite's locks. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
