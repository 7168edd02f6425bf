import type { Login, ProxyConfig } from '../database/index.ts';
import { EncryptedCredentialsRepository } from '../database/repositories/index.ts';
import { fillTemplate, formatProxyUrl, MASK, type TemplateValues } from '../lists/index.ts';
import { rounded, table } from './output.ts';
import type { Vault } from './vault.ts';

/** A proxy with its URL, whose login is masked unless it is to be revealed. */
export type ProxyView = ProxyConfig & { url: string; hasCredentials: boolean };

interface ViewOptions {
  reveal?: boolean | undefined;
  /** What to fill in where a login is a template; without it templates stay. */
  template?: TemplateValues | undefined;
}

/** Makes views of the proxies of one pool. */
export function proxyViewer(
  { db, encryption }: Vault,
  { reveal = false, template }: ViewOptions,
): (proxy: ProxyConfig) => ProxyView {
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  return (proxy) => {
    const hasCredentials = credentials.exists(proxy.id);
    const login = hasCredentials
      ? reveal
        ? filled(credentials.reveal(proxy), template)
        : { username: MASK, password: MASK }
      : null;
    return { ...proxy, url: formatProxyUrl({ ...proxy, ...login }, { reveal }), hasCredentials };
  };
}

function filled(login: Login | null, template: TemplateValues | undefined): Login | null {
  return login && template ? fillTemplate(login, template) : login;
}

/** The pool as a person wants to see it. */
export function proxyTable(proxies: readonly ProxyView[]): string {
  return table(
    ['ID', 'URL', 'STATUS', 'REGION', 'REQUESTS', 'SUCCESS %', 'LATENCY MS'],
    proxies.map((proxy) => [
      proxy.id,
      proxy.url,
      proxy.status,
      proxy.region,
      proxy.totalRequests,
      proxy.totalRequests === 0 ? null : rounded(proxy.successRate),
      proxy.latency,
    ]),
  );
}
