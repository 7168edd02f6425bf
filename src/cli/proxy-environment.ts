/** The variables that curl, wget, git, pip, npm, Go, Python and others read, in either case. */
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy'];
/** Variables of some programs that would go before these. */
const MORE_VARIABLES = ['ws_proxy', 'wss_proxy'];
/** What names hosts that are connected directly, also npm's own forms of it. */
const NO_PROXY_VARIABLES = ['no_proxy', 'npm_config_noproxy', 'npm_config_no_proxy'];
/** The key of all credentials is no business of the command's. */
const SECRET_VARIABLES = ['proxyvault_key'];

/**
 * The environment of a command that is to use this proxy and nothing else. `no_proxy` is left out, unless it is to be kept,
 * since what it names would be connected directly. So is the key in `PROXYVAULT_KEY`.
 */
export function proxyEnvironment(
  url: string,
  {
    inherited = process.env,
    keepNoProxy = false,
  }: { inherited?: NodeJS.ProcessEnv; keepNoProxy?: boolean | undefined } = {},
): NodeJS.ProcessEnv {
  const replaced = [
    ...PROXY_VARIABLES,
    ...MORE_VARIABLES,
    ...SECRET_VARIABLES,
    ...(keepNoProxy ? [] : NO_PROXY_VARIABLES),
  ];
  const kept = Object.entries(inherited).filter(([name]) => !replaced.includes(name.toLowerCase()));
  const set = PROXY_VARIABLES.flatMap((name) => [
    [name, url],
    [name.toUpperCase(), url],
  ]);
  // Node's own fetch and http look at the variables only with this.
  return Object.fromEntries([...kept, ...set, ['NODE_USE_ENV_PROXY', '1']]);
}

/** The URL for a client: with plain `socks5` and `socks4`, curl and others would look up names themselves, in the open. */
export function clientUrl(url: string): string {
  return url.replace(/^socks5:/, 'socks5h:').replace(/^socks4:/, 'socks4a:');
}
