import { randomUUID } from 'node:crypto';

import type { ProxyConfig, ProxyProtocol, ProxyStatus, ProxyUpdate } from '../../../database/index.ts';
import { defaultName } from '../../../database/repositories/proxy-record.ts';
import { parseHost } from '../../../model/host.ts';
import type { Vault } from '../../../vault.ts';
import type { Change } from '../../../views/changes.ts';
import { statusUpdate } from '../../status-update.ts';
import { changeLogin, type LoginChanges } from './change-login.ts';

/** What may be changed of a proxy, but for its login. An empty text clears what may be empty. */
export interface ProxyChanges {
  name?: string;
  region?: string;
  country?: string;
  host?: string;
  port?: number;
  protocol?: ProxyProtocol;
  status?: ProxyStatus;
  weight?: number;
  gateway?: boolean;
  remoteDns?: boolean;
  localDns?: boolean;
  addTag?: string[];
  removeTag?: string[];
}

/** The fields whose change is shown. */
const SHOWN = [
  'name',
  'protocol',
  'host',
  'port',
  'status',
  'region',
  'weight',
  'gateway',
  'remoteDns',
] as const;

/** The names of all {@link ProxyChanges}. */
export const FIELDS = [...SHOWN, 'country', 'localDns', 'addTag', 'removeTag'] as const;

/**
 * Changes the proxy that was typed, its login and its tags. Run it in a transaction, so that all of it is changed or nothing.
 *
 * @throws NOT_FOUND, CONFLICT, INVALID_INPUT; what is wrong with the key or a login that is changed in part.
 */
export function changeProxy(
  vault: Vault,
  typed: string,
  options: ProxyChanges,
  login: LoginChanges,
): { proxy: ProxyConfig; changes: Change[] } {
  const { proxies, tags } = vault;
  const before = proxies.resolve(typed);
  const tagsBefore = tags.findByProxy(before.id);
  const updates = updatesOf(before, options);
  const proxy = Object.keys(updates).length === 0 ? before : proxies.update(before.id, updates);
  const loginChanges = changeLogin(vault, proxy, login);
  for (const tag of options.addTag ?? []) tags.add(before.id, tag, randomUUID());
  for (const tag of options.removeTag ?? []) tags.remove(before.id, tag);
  const fields = SHOWN.map((field) => ({ field, from: before[field], to: proxy[field] }));
  const place = {
    field: 'country',
    from: before.geolocation?.country ?? null,
    to: proxy.geolocation?.country ?? null,
  };
  const tagged = { field: 'tags', from: tagsBefore, to: tags.findByProxy(before.id) };
  const isChanged = ({ from, to }: Change): boolean => JSON.stringify(from) !== JSON.stringify(to);
  return {
    proxy,
    changes: [...[...fields, place].filter(isChanged), ...loginChanges, ...[tagged].filter(isChanged)],
  };
}

/** The fields that are given and differ. */
function updatesOf(before: ProxyConfig, options: ProxyChanges): ProxyUpdate {
  const { host, port, protocol, status, region, country, weight, gateway, remoteDns, localDns } = options;
  const given: ProxyUpdate = { host, port, protocol, weight, gateway, name: nameOf(before, options) };
  if (status !== undefined) Object.assign(given, statusUpdate(before, status));
  if (region !== undefined) given.region = region === '' ? null : region;
  if (country !== undefined && country.toUpperCase() !== (before.geolocation?.country ?? ''))
    given.geolocation = country === '' ? null : { country: country.toUpperCase() };
  if (remoteDns || localDns) given.remoteDns = remoteDns === true;
  return Object.fromEntries(
    Object.entries(given).filter(
      ([field, value]) => value !== undefined && value !== before[field as keyof ProxyUpdate],
    ),
  );
}

/** A name that was only the address follows it. */
function nameOf(before: ProxyConfig, { name, host, port = before.port }: ProxyChanges): string | undefined {
  const isAddress = before.name === defaultName(before);
  if (name !== '' && (name !== undefined || !isAddress)) return name;
  const parsed = parseHost(host ?? before.host);
  // An invalid host is rejected by the update.
  return 'error' in parsed ? undefined : defaultName({ host: parsed.host, port });
}
