import type { Vault } from '../vault.ts';
import type { ListedView } from '../views/proxy.ts';
import { type Column, fittedTable, terminalWidth } from './fitted-table.ts';
import { type Cell, rounded } from './output.ts';
import type { Text } from './terminal.ts';

/** The pool as a person wants to see it, as wide as the terminal at most. */
export function proxyTable(vault: Vault, proxies: readonly ListedView[]): Text {
  const column = (
    head: string,
    cellOf: (proxy: ListedView) => Cell,
    giving: Pick<Column, 'short' | 'least' | 'leaveOut'> = {},
  ): Column => ({ head, cells: proxies.map(cellOf), ...giving });
  const shortIds = (): string[] => {
    const short = vault.proxies.shortIds(proxies.map(({ id }) => id));
    return proxies.map(({ id }) => short.get(id) ?? id);
  };
  return fittedTable(
    [
      column('ID', ({ id }) => id, { short: shortIds }),
      column('URL', ({ url, problem }) => (problem ? `${url} (${problem.code})` : url), { least: 24 }),
      column('STATUS', ({ status }) => status),
      column('REGION', ({ region }) => region, { least: 6, leaveOut: 3 }),
      column('REQUESTS', ({ totalRequests }) => totalRequests, { leaveOut: 6 }),
      column('SUCCESS %', successOf, { leaveOut: 4 }),
      column('LATENCY MS', ({ latency }) => latency, { leaveOut: 7 }),
      column('COUNTRY', ({ geolocation }) => geolocation?.country ?? null, { leaveOut: 5 }),
      column('NAME', ownNameOf, { least: 8, leaveOut: 1 }),
      column('TAGS', ({ tags }) => tags.join(', '), { least: 6, leaveOut: 2 }),
    ],
    terminalWidth(),
  );
}

function successOf({ totalRequests, successRate }: ListedView): Cell {
  return totalRequests === 0 ? null : rounded(successRate);
}

/** A name that is only the address is in the URL already. */
function ownNameOf({ name, url }: ListedView): Cell {
  return url.endsWith(`/${name}`) || url.endsWith(`@${name}`) ? null : name;
}
