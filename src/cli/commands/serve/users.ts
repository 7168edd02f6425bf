import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';

import { withFileErrors } from '../../../files/file-error.ts';
import { assertPath } from '../../../files/path.ts';
import type { GatewayUser } from '../../../gateway/index.ts';
import { invalidInput } from '../../../model/validation.ts';
import type { CommonOptions } from '../../common-options.ts';
import { readPassword } from '../../password-input.ts';
import { ask, canAsk } from '../../prompt.ts';
import { warn } from '../../warn.ts';

export interface UserOptions extends CommonOptions {
  user?: string[];
  users?: string;
  passwordStdin?: boolean;
}

const VARIABLE = 'PROXYVAULT_GATEWAY_PASSWORD';

/**
 * Who may use the gateway: the users of the file, and those of `--user`, whose passwords are asked for unless they are given.
 *
 * @throws INVALID_INPUT, which never repeats a password.
 */
export async function usersOf(options: UserOptions): Promise<GatewayUser[]> {
  const { user: typed = [], users: file, json } = options;
  const fromFile = file === undefined ? [] : readUsers(file, json);
  if (typed.some((each) => each.includes(':')))
    warn(
      json,
      'LOGIN_VISIBLE',
      '--user NAME:PASSWORD shows the password to whoever can list processes: prefer --user NAME, or --users FILE.',
    );
  const bare = typed.filter((each) => !each.includes(':'));
  if (bare.length > 1 && (options.passwordStdin || !canAsk()))
    throw invalidInput(
      'There are several --user without a password, and one password can be given in this way: use --users FILE.',
    );
  const given: GatewayUser[] = [];
  for (const each of typed) {
    const colon = each.indexOf(':');
    const name = colon === -1 ? each : each.slice(0, colon);
    given.push({
      name,
      password: colon === -1 ? await passwordFor(name, options) : each.slice(colon + 1),
    });
  }
  return [...fromFile, ...given];
}

/** The line of a user in a file of `--users`, with the password hashed. */
export async function hashedLine({ name, password, passwordHash }: GatewayUser): Promise<string> {
  if (passwordHash !== undefined) return `${name}:${passwordHash}`;
  const { Users } = await import('../../../gateway/index.ts');
  return `${name}:${await Users.hash(password ?? '')}`;
}

async function passwordFor(name: string, { passwordStdin = false }: UserOptions): Promise<string> {
  if (passwordStdin) return readPassword();
  const { [VARIABLE]: set } = process.env;
  if (set) return set;
  if (canAsk()) return ask(`Password of ${name}:`);
  throw invalidInput(
    `The user has no password, and nobody can be asked for it: use --password-stdin, ${VARIABLE}, or --users FILE.`,
  );
}

/** Lines of `NAME:PASSWORD` or `NAME:scrypt$…`; empty lines and those that begin with `#` are left out. */
function readUsers(path: string, json: boolean | undefined): GatewayUser[] {
  assertPath(path, '--users');
  const { content, isOpen } = withFileErrors(`The file of users ${path} cannot be read`, path, () => {
    const descriptor = openSync(path, 'r');
    try {
      const { mode } = fstatSync(descriptor);
      const isOpen = process.platform !== 'win32' && (mode & 0o077) !== 0;
      return { content: readFileSync(descriptor, 'utf8'), isOpen };
    } finally {
      closeSync(descriptor);
    }
  });
  const users = content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((line, at) => (/^\s*(?:#|$)/.test(line) ? [] : [userOf(line, path, at + 1)]));
  if (users.length === 0) throw invalidInput(`The file ${path} has no users: write lines of NAME:PASSWORD.`);
  if (isOpen && users.some(({ password }) => password !== undefined))
    warn(
      json,
      'OPEN_USERS',
      `The file ${path} has passwords, and others can read it: run \`chmod 600\` on it, or hash them with --print-users.`,
    );
  return users;
}

function userOf(line: string, path: string, number: number): GatewayUser {
  const [, name = '', secret = ''] = /^([^:]+):(.+)$/.exec(line) ?? [];
  if (name === '') throw invalidInput(`Line ${number} of ${path} is not NAME:PASSWORD or NAME:HASH.`);
  return secret.startsWith('scrypt$') ? { name, passwordHash: secret } : { name, password: secret };
}
