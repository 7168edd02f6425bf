import type { Command } from 'commander';

import { canAsk, confirm } from './prompt.ts';

/**
 * Whether proxies may be removed: one always, several if somebody says yes, on the terminal or with --yes. Where nobody can be
 * asked the command ends as one that was used wrongly.
 */
export async function confirmRemoval(
  count: number,
  { yes = false }: { yes?: boolean },
  command: Command,
): Promise<boolean> {
  if (count < 2 || yes) return true;
  const what = `${count} proxies with their logins and history`;
  if (!canAsk())
    command.error(`error: this would remove ${what}: say --yes, because there is no terminal to ask on`);
  return confirm(`Remove ${what}?`);
}
