import {
  type Field,
  LOGIN_LIKE,
  NAMES,
  NO_LOGIN,
  plainName,
  ROTATE_URL,
  SHORT_SECONDS,
  UNIT,
} from './field-names.ts';

/** What a name means. */
export interface Meaning {
  field: Field | null;
  /** Of several names of one field, the lowest counts. */
  rank: number;
  /** The unit that the name gives a response time. */
  unit?: 'ms' | 's';
  /** Unknown, and it looks as if it held a login. */
  isLoginLike: boolean;
}

/** The members of a record, each with its name. */
export type Entries = Iterable<readonly [name: string, value: unknown]>;

/** A member of a record or a cell of a row, with its name. */
export interface Member {
  name: string;
  value: unknown;
  meaning: Meaning;
}

const FIELDS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries(NAMES).flatMap(([field, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name, rank) => [plainName(name), { field: field as Field, rank, isLoginLike: false }] as const),
  ),
);

/** No known name is longer. */
const MAX_NAME = 64;
/** Names repeat in every record, so that their meanings are kept; a hostile list has ever new ones. */
const MAX_KEPT = 2048;
const kept = new Map<string, Meaning>();

/** What a name means, in any case, script and punctuation. */
export function meaningOf(name: string): Meaning {
  const known = kept.get(name);
  if (known) return known;
  const meaning = findMeaning(name);
  if (name.length > MAX_NAME) return meaning;
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, meaning);
  return meaning;
}

export function fieldOf(name: string): Field | null {
  return meaningOf(name).field;
}

/** The members of a record by their meaning. A member without a value is absent. */
export class Fields {
  /** The members whose names are known. */
  readonly known: Member[] = [];
  /** What has a value and was not read. */
  readonly unread: Member[] = [];
  /** Whether the record says that there is no password. */
  hasEmptyPassword = false;

  constructor(entries: Entries) {
    for (const [name, value] of entries) {
      if (value === null || value === undefined) continue;
      const meaning = meaningOf(name);
      if (value === '') this.hasEmptyPassword ||= meaning.field === 'password';
      else (meaning.field === null ? this.unread : this.known).push({ name, value, meaning });
    }
  }

  /** The value under the best of the names that the record has for a field. */
  get(field: Field): unknown {
    return this.member(field)?.value;
  }

  member(field: Field): Member | undefined {
    let best: Member | undefined;
    for (const member of this.known) {
      const { meaning } = member;
      if (meaning.field === field && (best === undefined || meaning.rank < best.meaning.rank)) best = member;
    }
    return best;
  }

  has(field: Field): boolean {
    return this.member(field) !== undefined;
  }

  /** All members of a field, in their order. */
  all(field: Field): Member[] {
    return this.known.filter(({ meaning }) => meaning.field === field);
  }
}

/** The fields that hold a login or a part of one. */
export const LOGIN_FIELDS: ReadonlySet<Field | null> = new Set(['username', 'password', 'login'] as const);

/** A record without members. */
export const NO_FIELDS = new Fields([]);

function findMeaning(name: string): Meaning {
  const plain = name.length > MAX_NAME ? '' : plainName(name);
  const known = FIELDS.get(plain);
  if (known) return known;
  if (ROTATE_URL.test(plain)) return { field: 'rotateUrl', rank: 1, isLoginLike: false };
  const [, base = '', unit = ''] = UNIT.exec(plain) ?? [];
  const time = FIELDS.get(base);
  // Before the same name without a unit.
  if (time?.field === 'time')
    return { ...time, rank: time.rank - 0.5, unit: /^m|^мс|^毫/.test(unit) ? 'ms' : 's' };
  const short = SHORT_SECONDS.test(name) ? FIELDS.get(plain.slice(0, -1)) : undefined;
  if (short?.field === 'time') return { ...short, rank: short.rank - 0.5, unit: 's' };
  // A longer name is not looked through: it may hold anything.
  const isLoginLike = name.length > MAX_NAME || (LOGIN_LIKE.test(plain) && !NO_LOGIN.test(plain));
  return { field: null, rank: 0, isLoginLike };
}
