import { type Field, type Meaning, meaningOf } from './field-names.ts';

export type Entries = Iterable<readonly [name: string, value: unknown]>;

export interface Member {
  name: string;
  value: unknown;
  meaning: Meaning;
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

export const NO_FIELDS = new Fields([]);
