import { warn } from './warn.ts';

/** Warns of logins that cannot be read. */
export function warnOfUnreadable(
  json: boolean | undefined,
  items: readonly { id: string; code: string; message: string }[],
): void {
  if (items.length === 0) return;
  const logins = items.length === 1 ? 'login' : 'logins';
  warn(
    json,
    'UNREADABLE_LOGINS',
    `${items.length} ${logins} cannot be read: run \`proxyvault key verify\` for all of them.`,
    {
      name: 'proxies',
      items,
      describe: ({ id, code, message }) => `${id}: ${message} (${code})`,
    },
  );
}
