import type { Login, ProxyConfig } from '../database/index.ts';
import { isUnreadable } from '../database/repositories/credential-record.ts';
import type { ProxyListing, StatusCounts, UsageTotals } from '../database/repositories/index.ts';
import { fillTemplate, formatProxyUrl, MASK, type TemplateValues } from '../lists/index.ts';
import type { Vault } from '../vault.ts';
import { type CooldownView, cooldownViewer } from './cooldowns.ts';

/** A proxy with its URL, whose login is masked unless it is to be revealed. */
export type ProxyView = ProxyConfig & {
  url: string;
  hasCredentials: boolean;
  /** The change-IP URL, if there is one and secrets are to be revealed. */
  rotateUrl?: string | undefined;
  /** Why the login, which was to be revealed, is masked; absent if it is not. */
  problem?: { code: string; message: string };
};

/** A proxy of a list, with its tags, and until when it is out. */
export type ListedView = ProxyView & { tags: string[]; cooldowns: CooldownView[] };

/** A page of the pool. */
export interface PageView {
  items: ListedView[];
  /** Where the next page begins; null after the last one. */
  next: string | null;
  /** How many proxies the filter lets through, in all and by status. */
  total: number;
  counts: Omit<StatusCounts, 'total'>;
  /** How many cool, for everything or for a domain or session, whatever `state` the filter asks for. */
  cooling: number;
}

/** Everything about one proxy. */
export type DetailedView = ListedView & {
  usage: UsageTotals;
  /** Which stick to it. */
  domains: string[];
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
function revealingViewer(vault: Vault): (proxy: ProxyConfig) => ProxyView {
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

/** Proxies with their URLs and tags; a login that cannot be read is masked, with its problem. */
export function listedViews(
  vault: Vault,
  proxies: readonly ProxyConfig[],
  { reveal = false }: { reveal?: boolean | undefined } = {},
): ListedView[] {
  const viewOf = reveal ? revealingViewer(vault) : proxyViewer(vault, {});
  const tags = vault.tags.findByProxies(proxies.map(({ id }) => id));
  const cooldownsOf = cooldownViewer(vault);
  return proxies.map((proxy) => ({
    ...viewOf(proxy),
    tags: tags.get(proxy.id) ?? [],
    cooldowns: cooldownsOf(proxy.id),
  }));
}

/** A page of the proxies that a filter lets through, of one state of the pool. @throws INVALID_INPUT. */
export function pageView(
  vault: Vault,
  { limit, after, sort, ...filter }: ProxyListing,
  options: { reveal?: boolean | undefined } = {},
): PageView {
  return vault.database.driver.snapshot(() => {
    const page = vault.proxies.list({ ...filter, limit, after, sort });
    const { total, ...counts } = vault.proxies.countByStatus(filter);
    const cooling = vault.proxies.count({ ...filter, state: 'cooling' });
    return { items: listedViews(vault, page.items, options), next: page.next, total, counts, cooling };
  });
}

/** @throws with `reveal` what is wrong with the login or its key. */
export function detailedView(vault: Vault, proxy: ProxyConfig, options: ViewOptions = {}): DetailedView {
  const { id } = proxy;
  return {
    ...proxyViewer(vault, options)(proxy),
    tags: vault.tags.findByProxy(id),
    cooldowns: cooldownViewer(vault)(id),
    usage: vault.usage.totals({ proxyId: id }),
    domains: vault.sticky.findByProxy(id).map(({ domain }) => domain),
  };
}

function filled(login: Login | null, template: TemplateValues | undefined): Partial<Login> {
  return login && template ? { ...login, ...fillTemplate(login, template) } : (login ?? {});
}
