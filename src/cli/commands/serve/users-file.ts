import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';

import { ProxyVaultError } from '../../../errors.ts';
import { withFileErrors } from '../../../files/file-error.ts';
import { assertPath } from '../../../files/path.ts';
import type { GatewayUser } from '../../../gateway/index.ts';
import { invalidInput } from '../../../model/validation.ts';
import { warn } from '../../warn.ts';

const FORMS =
  'NAME:PASSWORD, NAME:HASH, or JSON such as {"name":"alice","passwordHash":"…","maxConnections":5,"tags":["paid"]}';

/**
 * Reads the file of `--users`. Each line is `NAME:PASSWORD`, `NAME:scrypt$…`, or an object of JSON, which begins with `{` and may have limits
 * and tags. Empty lines and those that begin with `#` are left out.
 *
 * @throws INVALID_INPUT, which never repeats a line.
 */
export async function readUsers(path: string, json: boolean | undefined): Promise<GatewayUser[]> {
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
  const { checkedUsers } = await import('../../../gateway/index.ts');
  const users: GatewayUser[] = [];
  for (const [at, line] of content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const where = `Line ${at + 1} of ${path}`;
    try {
      users.push(...checkedUsers([userOf(line)]));
    } catch (error) {
      throw error instanceof ProxyVaultError ? invalidInput(`${where}: ${error.message}`) : error;
    }
  }
  if (users.length === 0) throw invalidInput(`The file ${path} has no users: write lines of ${FORMS}.`);
  if (isOpen && users.some(({ password }) => password !== undefined))
    warn(
      json,
      'OPEN_USERS',
      `The file ${path} has passwords, and others can read it: run \`chmod 600\` on it, or hash them with --print-users.`,
    );
  return users;
}

/** The line of a user in such a file, with the password hashed. */
export async function hashedLine(user: GatewayUser): Promise<string> {
  const { hashPassword } = await import('../../../gateway/index.ts');
  const { name, password, maxConnections, tags } = user;
  const passwordHash = user.passwordHash ?? (await hashPassword(password ?? ''));
  const isPlain = maxConnections === undefined && tags === undefined && !/^[{#\s]/.test(name);
  return isPlain ? `${name}:${passwordHash}` : JSON.stringify({ name, passwordHash, maxConnections, tags });
}

function userOf(line: string): GatewayUser {
  if (/^\s*\{/.test(line)) return fromJson(line);
  const [, name = '', secret = ''] = /^([^:]+):(.+)$/.exec(line) ?? [];
  if (name === '') throw invalidInput(`It must be ${FORMS}.`);
  return secret.startsWith('scrypt$') ? { name, passwordHash: secret } : { name, password: secret };
}

function fromJson(line: string): GatewayUser {
  try {
    return JSON.parse(line) as GatewayUser;
  } catch {
    // The message of the parser repeats a part of the line.
    throw invalidInput(`It begins with "{" and is no JSON. It must be ${FORMS}.`);
  }
}
