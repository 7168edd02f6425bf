import type { GatewayUser } from '../../../gateway/index.ts';
import { invalidInput } from '../../../model/validation.ts';
import type { CommonOptions } from '../../common-options.ts';
import { readPassword } from '../../password-input.ts';
import { ask, canAsk } from '../../prompt.ts';
import { warn } from '../../warn.ts';
import { readUsers } from './users-file.ts';

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
  const fromFile = file === undefined ? [] : await readUsers(file, json);
  if (typed.some((each) => each.includes(':')))
    warn(
      json,
      'LOGIN_VISIBLE',
      '--user NAME:PASSWORD shows the password to whoever can list processes: prefer --user NAME, or --users FILE.',
    );
  const bare = typed.filter((each) => !each.includes(':'));
  // Two users with one password are a slip: nobody has said that the password is for both.
  if (bare.length > 1 && (options.passwordStdin || process.env[VARIABLE] || !canAsk()))
    throw invalidInput(
      `There are several --user without a password, and --password-stdin and ${VARIABLE} have one password: use --users FILE.`,
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

async function passwordFor(name: string, { passwordStdin = false }: UserOptions): Promise<string> {
  if (passwordStdin) return readPassword();
  const { [VARIABLE]: set } = process.env;
  if (set) return set;
  if (canAsk()) return ask(`Password of ${name}:`);
  throw invalidInput(
    `The user has no password, and nobody can be asked for it: use --password-stdin, ${VARIABLE}, or --users FILE.`,
  );
}
