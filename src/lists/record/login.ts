import { Refused } from '../parts/refused.ts';
import type { ListedProxy } from '../verdicts.ts';
import { HARMLESS, meaningOf, plainName } from './field-names.ts';
import { Fields, LOGIN_FIELDS, type Member } from './fields.ts';
import { nameOrMember } from './unread-names.ts';
import { isKnown, plainText, readFlag } from './values.ts';

/** A username and a password; what a record does not have is absent. */
export type Login = Pick<ListedProxy, 'username' | 'password'>;

/** What programs and people write for an empty value. */
const NOTHING = /^(?:null|none|undefined|nan|nil|n\/a|[-–—]+)$/i;
/** A login that lies deeper is not looked for. */
const MOST_DEPTH = 4;

/**
 * The login in the members of a record; one member may hold all of it as an object, a pair or `user:password`.
 * @throws Refused for members that disagree, and for a login in a form that is not read.
 */
export function recordLogin(fields: Fields, depth = 0): Login {
  let login: Login = {};
  for (const member of fields.known) {
    const { field } = member.meaning;
    if (field === 'username') login = agreed(login, readUsername(member, fields, depth));
    else if (field === 'password') login = agreed(login, readPart(member, 'password', depth));
    else if (field === 'login') login = agreed(login, readBoth(member, fields, depth));
  }
  const { username = '', password = '' } = login;
  const [first, ...others] = [username, password].filter((part) => part !== '');
  if (first !== undefined && [first, ...others].every((part) => NOTHING.test(part)))
    throw new Refused(
      'bad-credentials',
      `the login is the word "${first}": leave it out if there is no login`,
    );
  return login;
}

/** One login of two that are given for the same proxy. @throws Refused (ambiguous) if they disagree. */
export function agreed(one: Login, other: Login): Login {
  return {
    username: agreedPart('username', one.username, other.username),
    password: agreedPart('password', one.password, other.password),
  };
}

/** @throws Refused, with its name, for a member that is not read and may hold a login. */
export function assertNoOtherLogin(unread: readonly Member[], { username, password }: Login): void {
  const isHalf = (username === undefined) !== (password === undefined);
  for (const { name, value, meaning } of unread) {
    // Beside a username, `user_id` is the number of an account.
    if (username !== undefined && /id\s*$/i.test(name) && typeof value !== 'object') continue;
    if (isHalf && typeof value !== 'object' && holdsLogin(value) && !HARMLESS.test(plainName(name)))
      throw otherLogin(name);
    const isNameless = !/[\p{L}\p{N}]/u.test(name);
    if (isNameless && !/^\s*\d+\s*$/.test(plainText(value)))
      throw new Refused('bad-record', 'a column without a name has a value: the header must name it');
    if (meaning.isLoginLike && holdsLogin(value)) throw otherLogin(name);
    if (typeof value === 'object' && value !== null) assertNoLoginIn(value, name);
  }
}

function agreedPart(name: 'username' | 'password', one = '', other = ''): string | undefined {
  if (one !== '' && other !== '' && one !== other)
    throw new Refused('ambiguous', `the record has two different ${name}s`);
  return one || other || undefined;
}

function readUsername(member: Member, fields: Fields, depth: number): Login {
  const login = readPart(member, 'username', depth);
  const { username = '' } = login;
  const mayBeBoth = username.includes(':') && login.password === undefined;
  if (!mayBeBoth || fields.hasEmptyPassword || fields.has('password') || fields.has('login')) return login;
  if (/^(?:proxy)?[_-]?login$/i.test(member.name.trim())) return split(username);
  throw new Refused('ambiguous', 'the username has a colon and there is no password: it may hold both');
}

function readPart(member: Member, part: 'username' | 'password', depth: number): Login {
  const { value } = member;
  if (typeof value === 'string') return { [part]: value };
  if (Number.isSafeInteger(value)) return { [part]: String(value) };
  if (value === false) return {};
  if (part === 'username' && typeof value === 'object')
    return readInside(value as object, member.name, depth);
  throw new Refused('bad-credentials', `the ${part} is not a text`);
}

/** A member such as `auth` or `userpass`. */
function readBoth(member: Member, fields: Fields, depth: number): Login {
  const { name, value } = member;
  if (Array.isArray(value)) return readPair(value, name);
  if (typeof value === 'object') return readInside(value as object, name, depth);
  if (!holdsLogin(value)) {
    if (readFlag(value) === true) fields.unread.push(member);
    return {};
  }
  if (typeof value !== 'string' || !value.includes(':') || value.includes('://'))
    throw new Refused('bad-credentials', `${nameOrMember(name)} is not user:password`);
  return split(value);
}

function readPair(pair: readonly unknown[], name: string): Login {
  if (pair.length === 0) return {};
  if (pair.length === 1 && typeof pair[0] === 'string' && pair[0].includes(':')) return split(pair[0]);
  const [username, password] = pair;
  if (pair.length === 2 && typeof username === 'string' && typeof password === 'string')
    return { username, password };
  throw new Refused('bad-credentials', `${nameOrMember(name)} is not a username and a password`);
}

function readInside(value: object, name: string, depth: number): Login {
  if (depth > MOST_DEPTH) throw otherLogin(name);
  const inside = new Fields(Object.entries(value));
  const login = recordLogin(inside, depth + 1);
  for (const member of [...inside.known, ...inside.unread]) {
    const { field } = member.meaning;
    const isOther = !LOGIN_FIELDS.has(field) && !/^(?:type|method|scheme)$/i.test(member.name);
    if (field === 'name' && login.username === undefined && typeof member.value === 'string')
      login.username = member.value;
    else if (isOther && holdsLogin(member.value)) throw otherLogin(name);
  }
  return login;
}

function split(text: string): Login {
  const colon = text.indexOf(':');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Whether a value may be a login or a part of one: not if it says yes, no or that it is unknown. */
export function holdsLogin(value: unknown, depth = 0): boolean {
  if (typeof value === 'object' && value !== null)
    return depth > MOST_DEPTH || Object.values(value).some((each) => holdsLogin(each, depth + 1));
  return value !== '' && isKnown(value) && readFlag(value) === undefined;
}

function assertNoLoginIn(root: object, name: string): void {
  const stack: object[] = [root];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    for (const [inner, each] of Object.entries(value)) {
      if (each === null || each === '') continue;
      const { field, isLoginLike } = Array.isArray(value) ? NO_MEANING : meaningOf(inner);
      const isLogin = isLoginLike || LOGIN_FIELDS.has(field);
      if (isLogin && typeof each !== 'object' && holdsLogin(each)) throw otherLogin(name);
      if (isLogin && Array.isArray(each) && each.length > 0) throw otherLogin(name);
      if (typeof each === 'object') stack.push(each);
    }
  }
}

const NO_MEANING = { field: null, isLoginLike: false } as const;

function otherLogin(name: string): Refused {
  const reason = `${nameOrMember(name)} may hold a login and is not read: name it username or password`;
  return new Refused('bad-credentials', reason);
}
