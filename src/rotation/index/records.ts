import { grown } from './grown.ts';

/** So many numbers of 4 bytes has each slot: 64 bytes, which a processor reads from memory at once. */
export const RECORD = 16;

/** The places of the numbers in a record: first those that most choices read. */
export const SMALL = 0;
export const COUNTRY = 1;
export const REGION = 2;
export const TAGS = 3;
export const POSITION = 4;
export const LENGTHS = 5;
export const LATENCY = 6;
export const IN_FLIGHT = 7;
export const HAND_OUTS = 8;
export const UNSAVED = 9;
/** A number of 8 bytes: the sixth if all were such. */
export const LAST_USED = 5;
export const SUCCESS = 12;
export const REPORTED_AT = 13;
export const HASH = 14;
export const NEXT_ID = 15;

/**
 * What is known of each slot, in one record. A random choice in a large pool spends most of its time waiting for memory, so all that it
 * reads of a proxy is in one place. The classes beside this one say what the numbers mean.
 */
export class Records {
  /** Numbers without a sign. */
  whole: Uint32Array;
  /** The same memory, as slots or -1. */
  slots: Int32Array;
  /** The same memory, as fractions. */
  floats: Float32Array;
  /** The same memory, as numbers of 8 bytes. */
  times: Float64Array;

  constructor(capacity: number) {
    this.whole = new Uint32Array(RECORD * capacity);
    this.slots = new Int32Array(this.whole.buffer);
    this.floats = new Float32Array(this.whole.buffer);
    this.times = new Float64Array(this.whole.buffer);
  }

  grow(capacity: number): void {
    this.whole = grown(this.whole, RECORD * capacity);
    this.slots = new Int32Array(this.whole.buffer);
    this.floats = new Float32Array(this.whole.buffer);
    this.times = new Float64Array(this.whole.buffer);
  }
}
