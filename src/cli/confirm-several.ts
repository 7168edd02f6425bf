import type { Command } from 'commander';

import { canAsk, confirm } from './prompt.ts';

/**
 * Whether something may be done to so many proxies: to one always, to several if somebody says yes, on the terminal or with --yes.
 * Where nobody can be asked the command ends as one that was used wrongly.
 *
 * @param action what would be done, such as `remove`, and to what.
 */
export async function confirmSeveral(
  count: number,
  { yes = false }: { yes?: boolean },
  command: Command,
  { verb, what }: { verb: string; what: string },
): Promise<boolean> {
  if (count < 2 || yes) return true;
  if (!canAsk())
    command.error(`error: this would ${verb} ${what}: say --yes, because there is no terminal to ask on`);
  return confirm(`${verb.charAt(0).toUpperCase()}${verb.slice(1)} ${what}?`);
}
