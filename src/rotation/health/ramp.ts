/** The ramp of a proxy that is unproven, or being probed: one request at a time. */
export const FIRST_STEP = 1;
/** The ramp after the success of a probe. */
export const SECOND_STEP = 2;

/** How many leases a proxy may have at each step of its ramp. Step 0 is the end of it. */
const ALLOWANCES = [Number.POSITIVE_INFINITY, 1, 2, 4, 8, 16] as const;

const STEP = 0b111;
/** The whole proxy is out. */
const OUT = 0b1000;
/** There is a circuit of the whole proxy, or of some scope of it. */
const CIRCUITS = 0b1_0000;

/** One byte for each slot: the step of its slow start, and whether anything else is known of it. */
export class Ramp {
  #bytes = new Uint8Array(0);
  #climbing = 0;

  /** How many slots have not come to the end of their ramp. */
  get climbing(): number {
    return this.#climbing;
  }

  grow(capacity: number): void {
    if (capacity <= this.#bytes.length) return;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  /** Whether a slot is in, has ended its ramp, and has no circuits: nearly all are. */
  isPlain(slot: number): boolean {
    return this.#bytes[slot] === 0;
  }

  step(slot: number): number {
    return this.#at(slot) & STEP;
  }

  setStep(slot: number, step: number): void {
    const byte = this.#at(slot);
    this.#climbing += Number(step !== 0) - Number((byte & STEP) !== 0);
    this.#bytes[slot] = (byte & ~STEP) | step;
  }

  /** The next step after a success. */
  climb(slot: number): void {
    const step = this.step(slot);
    if (step !== 0) this.setStep(slot, (step + 1) % ALLOWANCES.length);
  }

  allowance(slot: number): number {
    return ALLOWANCES[this.step(slot)] as number;
  }

  isOut(slot: number): boolean {
    return (this.#at(slot) & OUT) !== 0;
  }

  setOut(slot: number, isOut: boolean): void {
    this.#set(slot, OUT, isOut);
  }

  hasCircuits(slot: number): boolean {
    return (this.#at(slot) & CIRCUITS) !== 0;
  }

  setCircuits(slot: number, has: boolean): void {
    this.#set(slot, CIRCUITS, has);
  }

  moveTo(capacity: number, to: (slot: number) => number): void {
    const from = this.#bytes;
    this.#bytes = new Uint8Array(capacity);
    this.#climbing = 0;
    for (let slot = 0; slot < from.length; slot++) {
      const byte = from[slot] as number;
      if (byte === 0) continue;
      const place = to(slot);
      if (place === -1) continue;
      this.#bytes[place] = byte;
      if ((byte & STEP) !== 0) this.#climbing++;
    }
  }

  #at(slot: number): number {
    return this.#bytes[slot] ?? 0;
  }

  #set(slot: number, bit: number, is: boolean): void {
    const byte = this.#at(slot);
    this.#bytes[slot] = is ? byte | bit : byte & ~bit;
  }
}
