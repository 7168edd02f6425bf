import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';

import type { Login, ProxyConfig } from '../database/index.ts';
import { patiently } from '../database/patience.ts';
import { isUnreadable } from '../database/repositories/credential-record.ts';
import type { EncryptedCredentialsRepository } from '../database/repositories/index.ts';
import { reportInvalidRow } from '../database/repositories/skipped-rows.ts';
import { ProxyVaultError } from '../errors.ts';
import { placeholdersOf, type TemplateValues } from '../lists/index.ts';
import type { Vault } from '../vault.ts';
import { type ProxyView, proxyViewer } from '../views/proxy.ts';
import type { CommonOptions } from './common-options.ts';
import { withVault } from './open-vault.ts';
import { type RequestOptions, requestOf, withRequestOptions } from './request-options.ts';
import { warnOfUnreadable } from './unreadable-logins.ts';
import { waiting } from './wait-for-proxy.ts';
import { warn } from './warn.ts';

/** One wait for a lock, which blocks the process; many of them make up its patience. */
const SHORT_MS = 50;

/** So many unreadable logins are met one by one, each after a look at all those before it; then all are looked for at once. */
const MOST_SINGLY = 32;
/** What is wrong with one login; any other failure is about its key, and stops the hand-out when it is met. */
const ROW_FAULTS = ['CREDENTIAL_CORRUPT', 'INVALID_ROW'];

/** What only fills in a login. */
const TEMPLATE_OPTIONS = {
  exitCountry: { flag: '--exit-country', placeholder: 'country' },
  ttl: { flag: '--ttl', placeholder: 'ttl' },
} as const;

/** What `next`, `rotate` and `exec` can be asked for. */
export interface HandOutOptions extends CommonOptions, RequestOptions {
  exitCountry?: string;
  ttl?: string;
  reveal?: boolean;
  /** Of a lease: how long it lasts, in milliseconds. */
  lease?: number;
  /** Of a lease: how long to wait for a proxy, in milliseconds. */
  wait?: number;
}

/** The proxy that was handed out, and the lease by which it may be reported, if there is one. */
export type HandOutView = ProxyView & { lease?: { id: string; expiresAt: string } };

/** Adds the options of a request, and those that fill in a login. */
export function withHandOutOptions(command: Command): Command {
  return withRequestOptions(command)
    .option(
      '--exit-country <code>',
      'for a login with {country}; without it --country, else that of the proxy',
    )
    .option('--ttl <time>', 'for a login with {ttl}, in the unit of the provider');
}

/** How a proxy is asked for: with `rotate` it is another one than before, with `lease` another process may report it. */
export type Ask = 'choose' | 'rotate' | 'lease';

/**
 * Opens the pool and hands out a proxy. One whose row is malformed and, with `reveal`, one whose login cannot be read is passed
 * over, with a warning. Waits for locks between turns of the event loop, so that signals are noticed.
 *
 * @throws NO_PROXY, and with `reveal` also what is wrong with the key.
 */
export function handOut(options: HandOutOptions, ask: Ask = 'choose'): Promise<HandOutView> {
  const work = async (vault: Vault): Promise<HandOutView> => {
    const view = await waiting(options, () => choose(vault, options, ask));
    warnOfUnused(vault, view, options);
    return view;
  };
  return withVault(options, work, { unlock: options.reveal === true, busyTimeoutMs: SHORT_MS });
}

async function choose(vault: Vault, options: HandOutOptions, ask: Ask): Promise<HandOutView> {
  const { reveal, json, lease: leaseMs } = options;
  const request = requestOf(vault, options);
  const unreadable = new Map<string, { id: string; code: string; message: string }>();
  const malformed = new Set<string>();
  const attempt = (): HandOutView | null => {
    let id = '';
    try {
      let view: ProxyView | null = null;
      // A proxy that cannot be used is not handed out: it moves no turn and no session.
      const exclude = [...(request.exclude ?? []), ...unreadable.keys(), ...malformed];
      const check = (chosen: { id: string }): void => {
        id = chosen.id;
        const proxy = vault.proxies.findById(id);
        if (proxy) view = proxyViewer(vault, { reveal, template: templateValues(proxy, options) })(proxy);
      };
      const wanted = { ...request, exclude };
      if (ask !== 'lease') {
        vault.pool[ask](wanted, check);
        return view;
      }
      const lease = vault.pool.tryAcquire({ ...wanted, leaseMs, stored: true }, check);
      return view && { ...(view as ProxyView), lease: { id: lease.id, expiresAt: lease.expiresAt } };
    } catch (error) {
      if (isUnreadable(error)) unreadable.set(id, { id, code: error.code, message: error.message });
      else if (id === '' || malformed.has(id)) throw error;
      else {
        reportInvalidRow(vault.database, error);
        malformed.add(id);
      }
      return null;
    }
  };
  try {
    for (;;) {
      const view = await patiently(attempt);
      if (view !== null) return view;
      if (unreadable.size !== MOST_SINGLY) continue;
      const { failures } = await vault.keys.verify();
      for (const { proxyId: id, code, message } of failures)
        if (ROW_FAULTS.includes(code)) unreadable.set(id, { id, code, message });
    }
  } finally {
    warnOfUnreadable(json, [...unreadable.values()]);
  }
}

/** Whoever gives a country believes to go out there: a login without `{country}` goes out anywhere. */
function warnOfUnused({ credentials }: Vault, { id }: ProxyView, options: HandOutOptions): void {
  const given = (['exitCountry', 'ttl'] as const).filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  const login = readableLogin(credentials, id);
  if (login === 'unreadable') return;
  const placeholders = login ? placeholdersOf(login) : [];
  const unused = given
    .map((name) => TEMPLATE_OPTIONS[name])
    .filter(({ placeholder }) => !placeholders.includes(placeholder));
  if (unused.length === 0) return;
  const names = unused.map(({ flag }) => flag).join(', ');
  const missing = unused.map(({ placeholder }) => `{${placeholder}}`).join(', ');
  warn(options.json, 'NO_TEMPLATE', `${names} changed nothing: proxy ${id} has no login with ${missing}.`);
}

/** Without `reveal` the key may be locked or missing; then nobody can know whether the login is a template. */
function readableLogin(credentials: EncryptedCredentialsRepository, id: string): Login | null | 'unreadable' {
  try {
    return credentials.reveal(id);
  } catch (error) {
    if (error instanceof ProxyVaultError) return 'unreadable';
    throw error;
  }
}

/** A country that chooses is written in any case; providers want small letters. */
function templateValues(
  { geolocation }: ProxyConfig,
  { session, country, exitCountry, ttl }: HandOutOptions,
): TemplateValues {
  return {
    session: session ?? randomBytes(4).toString('hex'),
    country: exitCountry ?? (country ?? geolocation?.country)?.toLowerCase(),
    ttl,
  };
}
