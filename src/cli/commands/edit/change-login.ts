import type { Login, ProxyConfig } from '../../../database/index.ts';
import { isUnreadable } from '../../../database/repositories/credential-record.ts';
import { MASK } from '../../../lists/index.ts';
import type { Vault } from '../../../vault.ts';
import type { Change } from '../../../views/changes.ts';

/** What of a login is changed; an empty text clears it. */
export type LoginChanges = Partial<Record<'username' | 'password' | 'rotateUrl', string | undefined>>;

/** Stores what is given and keeps the rest. @returns what changed, masked. */
export function changeLogin({ credentials }: Vault, proxy: ProxyConfig, changes: LoginChanges): Change[] {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (given.length === 0) return [];
  const old = readLogin(() => credentials.reveal(proxy), changes);
  const wasUnreadable = old === 'unreadable';
  const known = wasUnreadable ? null : old;
  const { username = '', password = '', rotateUrl = '' } = { ...known, ...Object.fromEntries(given) };
  const next: Login = { username, password, ...(rotateUrl === '' ? {} : { rotateUrl }) };
  const fields = ['username', 'password', 'rotateUrl'] as const;
  const changed = fields.filter((field) =>
    wasUnreadable ? changes[field] !== undefined : (next[field] ?? '') !== (known?.[field] ?? ''),
  );
  if (changed.length === 0) return [];
  if (username === '' && password === '' && rotateUrl === '') credentials.delete(proxy.id);
  else credentials.store(proxy, next);
  const masked = (value = ''): string | null => (value === '' ? null : MASK);
  return changed.map((field) => ({
    field,
    from: wasUnreadable ? MASK : masked(known?.[field]),
    to: masked(next[field]),
  }));
}

/** A login that cannot be read may be replaced as a whole, or cleared. */
function readLogin(
  read: () => Login | null,
  { username, password }: LoginChanges,
): Login | null | 'unreadable' {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error) && username !== undefined && password !== undefined) return 'unreadable';
    throw error;
  }
}
