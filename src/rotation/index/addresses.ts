import { defaultName } from '../../database/repositories/proxy-record.ts';
import { LENGTHS, POSITION, RECORD, type Records } from './records.ts';

/**
 * A text with so many characters gets no more. Whoever keeps an id of ours keeps the text of which it is a slice, and while the last
 * text grows, that is one of its own for each id.
 */
const FULL = 2 ** 12;
/** A position is the number of a text, and the place in it in so many bits. */
const PLACE_BITS = 13;
/** The lengths of the id, the address and the host in one number, and in the lowest bit whether the host is in brackets. */
const [ID_SHIFT, ADDRESS_SHIFT, HOST_SHIFT] = [18, 9, 1] as const;
const [MOST_OF_ID, MOST_OF_ADDRESS, MOST_OF_HOST] = [2 ** 11 - 1, 2 ** 9 - 1, 2 ** 8 - 1] as const;
/** So many characters may be left over before the texts are written again. */
const LEFT_OVER = 2 ** 20;

/**
 * The id and the address of each slot. Those of some seventy slots are one text, and JavaScript makes slices of it without a copy. Two
 * strings for each slot would take three times the memory, and time at each garbage collection.
 */
export class Addresses {
  readonly #records: Records;
  /** Ids that are too long: we make none, but another program may have. */
  readonly #longIds = new Map<number, string>();
  #texts = [''];
  /** What is to come after the last text. */
  #pieces: string[] = [];
  /** How many characters the last text has, with the pieces. */
  #length = 0;
  /** How many characters there are, and how many of them belong to a slot. */
  #written = 0;
  #used = 0;
  /** One choice asks for the same id several times. */
  #lastSlot = -1;
  #lastId = '';

  constructor(records: Records) {
    this.#records = records;
  }

  set(slot: number, id: string, endpoint: { host: string; port: number }): void {
    const address = defaultName(endpoint);
    if (this.#has(slot, id, address)) return;
    this.clear(slot);
    if (id.length > MOST_OF_ID) this.#longIds.set(slot, id);
    const piece = (id.length > MOST_OF_ID ? '' : id) + address;
    const isBracketed = address.startsWith('[') ? 1 : 0;
    this.#records.whole[slot * RECORD + LENGTHS] =
      ((piece.length - address.length) << ID_SHIFT) |
      (address.length << ADDRESS_SHIFT) |
      (endpoint.host.length << HOST_SHIFT) |
      isBracketed;
    this.#used += piece.length;
    if (slot === this.#lastSlot) this.#lastId = id;
    this.#write(slot, piece);
    if (this.#written > 2 * this.#used + LEFT_OVER) this.#writeAgain();
  }

  /** The characters of the slot are left over. */
  clear(slot: number): void {
    this.#used -= lengthOf(this.#lengths(slot));
    this.#records.whole[slot * RECORD + LENGTHS] = 0;
    this.#longIds.delete(slot);
    if (slot === this.#lastSlot) this.#lastId = '';
  }

  /** '' if the slot is free. */
  id(slot: number): string {
    if (slot !== this.#lastSlot) {
      const length = this.#lengths(slot) >>> ID_SHIFT;
      this.#lastId = length === 0 ? (this.#longIds.get(slot) ?? '') : this.#slice(slot, 0, length);
      this.#lastSlot = slot;
    }
    return this.#lastId;
  }

  /** The host and the port, and brackets around IPv6. */
  address(slot: number): string {
    const lengths = this.#lengths(slot);
    return this.#slice(slot, lengths >>> ID_SHIFT, (lengths >>> ADDRESS_SHIFT) & MOST_OF_ADDRESS);
  }

  host(slot: number): string {
    const lengths = this.#lengths(slot);
    return this.#slice(slot, (lengths >>> ID_SHIFT) + (lengths & 1), (lengths >>> HOST_SHIFT) & MOST_OF_HOST);
  }

  #has(slot: number, id: string, address: string): boolean {
    return this.#lengths(slot) !== 0 && this.id(slot) === id && this.address(slot) === address;
  }

  #lengths(slot: number): number {
    return this.#records.whole[slot * RECORD + LENGTHS] ?? 0;
  }

  #slice(slot: number, from: number, length: number): string {
    if (length === 0) return '';
    if (this.#pieces.length > 0) this.#join();
    const position = this.#records.whole[slot * RECORD + POSITION] as number;
    const place = (position & (2 ** PLACE_BITS - 1)) + from;
    return (this.#texts[position >>> PLACE_BITS] as string).slice(place, place + length);
  }

  #write(slot: number, piece: string): void {
    if (this.#length >= FULL) {
      this.#join();
      this.#texts.push('');
      this.#length = 0;
    }
    const text = this.#texts.length - 1;
    this.#records.whole[slot * RECORD + POSITION] = text * 2 ** PLACE_BITS + this.#length;
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#written += piece.length;
  }

  #join(): void {
    this.#texts.push([this.#texts.pop(), ...this.#pieces].join(''));
    this.#pieces = [];
  }

  /** Without what is left over. */
  #writeAgain(): void {
    this.#join();
    const texts = this.#texts;
    this.#texts = [''];
    this.#length = 0;
    this.#written = 0;
    const { whole } = this.#records;
    for (let slot = 0; slot * RECORD < whole.length; slot++) {
      const length = lengthOf(this.#lengths(slot));
      if (length === 0) continue;
      const position = whole[slot * RECORD + POSITION] as number;
      const place = position & (2 ** PLACE_BITS - 1);
      this.#write(slot, (texts[position >>> PLACE_BITS] as string).slice(place, place + length));
    }
  }
}

/** Of the id and the address. */
function lengthOf(lengths: number): number {
  return (lengths >>> ID_SHIFT) + ((lengths >>> ADDRESS_SHIFT) & MOST_OF_ADDRESS);
}
