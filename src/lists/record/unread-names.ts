/** Most lists have fewer; a hostile one may have a new name in every record. */
const MOST_NAMES = 64;
/** What a name may look like in a message: one with other characters may be a login or an address. */
const NAME = /^[\p{L}\p{N}_#][\p{L}\p{M}\p{N}_#%()' .-]{0,39}$/u;

/** A name in quotes, or nothing if it does not look like a name. */
function quotedName(name: string): string {
  const text = name.trim();
  return NAME.test(text) ? `"${text}"` : '';
}

/** A name in quotes to begin a message with. */
export function nameOrMember(name: string): string {
  return quotedName(name) || 'a member';
}

/** Notes that name what was not read of the records of one list: each name once, and not without end. */
export class UnreadNames {
  readonly #kind: 'column' | 'member';
  readonly #notes = new Map<string, string>();

  constructor(kind: 'column' | 'member') {
    this.#kind = kind;
  }

  noteOf(name: string): string {
    const known = this.#notes.get(name);
    if (known !== undefined) return known;
    const quoted = quotedName(name);
    if (quoted === '' || this.#notes.size >= MOST_NAMES) return `another ${this.#kind} was not read`;
    const note = `the ${this.#kind} ${quoted} was not read`;
    this.#notes.set(name, note);
    return note;
  }
}
