import type { Login, ProxyConfig } from '../database/index.ts';
import { isUnreadable } from '../database/repositories/credential-record.ts';
import { fillTemplate, formatProxyUrl, MASK, type TemplateValues } from '../lists/index.ts';
import type { Vault } from '../vault.ts';
import { warn } from './warn.ts';

/** A proxy with its URL, whose login is masked unless it is to be revealed. */
export type ProxyView = ProxyConfig & {
  url: string;
  hasCredentials: boolean;
  /** The change-IP URL, if there is one and secrets are to be revealed. */
  rotateUrl?: string | undefined;
  /** Why the login, which was to be revealed, is masked; absent if it is not. */
  problem?: { code: string; message: string };
};

interface ViewOptions {
  reveal?: boolean | undefined;
  /** What to fill in where a login is a template; without it templates stay. */
  template?: TemplateValues | undefined;
}

/** Makes views of the proxies of one pool. */
export function proxyViewer(
  { credentials }: Vault,
  { reveal = false, template }: ViewOptions,
): (proxy: ProxyConfig) => ProxyView {
  return (proxy) => {
    const hasCredentials = credentials.exists(proxy.id);
    if (!hasCredentials || !reveal) {
      const login = hasCredentials ? { username: MASK, password: MASK } : {};
      return { ...proxy, url: formatProxyUrl({ ...proxy, ...login }), hasCredentials };
    }
    const { rotateUrl, ...login } = filled(credentials.reveal(proxy), template);
    const view = { ...proxy, url: formatProxyUrl({ ...proxy, ...login }, { reveal }), hasCredentials };
    return rotateUrl === undefined ? view : { ...view, rotateUrl };
  };
}

/** As `proxyViewer` with `reveal`, for many proxies: a login that cannot be read is masked, with its problem. */
export function revealingViewer(vault: Vault): (proxy: ProxyConfig) => ProxyView {
  const revealed = proxyViewer(vault, { reveal: true });
  const masked = proxyViewer(vault, {});
  return (proxy) => {
    try {
      return revealed(proxy);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const { code, message } = error;
      return { ...masked(proxy), problem: { code, message } };
    }
  };
}

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

function filled(login: Login | null, template: TemplateValues | undefined): Partial<Login> {
  return login && template ? { ...login, ...fillTemplate(login, template) } : (login ?? {});
}
