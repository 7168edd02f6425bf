/** The variables that curl, wget, git, pip, npm, Go, Python and others read, in either case. */
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy'];
/** Where other programs look first, such as `npm_config_https_proxy` and `GLOBAL_AGENT_HTTP_PROXY`. */
const OTHER_PROXY = /(?:^|_)(?:(?:https?|ftp|all|wss?)[_-]?proxy|(?:npm_config|yarn|pip)_proxy)$/;
/** What names hosts that are connected directly, in every form: `no_proxy`, `npm_config_noproxy`, `GLOBAL_AGENT_NO_PROXY`. */
const NO_PROXY = /(?:^|_)no[_-]?proxy$/;
/** Our own variables that say where the pool is. The others are about its key, which is no business of the command's. */
const KEPT = ['db', 'migrations_table', 'allow_others_to_write', 'debug'].map((name) => `proxyvault_${name}`);

/**
 * The environment of a command that is to use this proxy and nothing else. `no_proxy` is left out, unless it is to be kept,
 * since what it names would be connected directly. So is what leads to the key of the credentials.
 */
export function proxyEnvironment(
  url: string,
  {
    inherited = process.env,
    keepNoProxy = false,
  }: { inherited?: NodeJS.ProcessEnv; keepNoProxy?: boolean | undefined } = {},
): NodeJS.ProcessEnv {
  const isKept = ([name]: [string, unknown]): boolean => {
    const lower = name.toLowerCase();
    if (NO_PROXY.test(lower)) return keepNoProxy;
    if (lower.startsWith('proxyvault_')) return KEPT.includes(lower);
    return !OTHER_PROXY.test(lower);
  };
  const set = PROXY_VARIABLES.flatMap((name) => [
    [name, url],
    [name.toUpperCase(), url],
  ]);
  // Node's own fetch and http look at the variables only with this.
  return Object.fromEntries([
    ...Object.entries(inherited).filter(isKept),
    ...set,
    ['NODE_USE_ENV_PROXY', '1'],
  ]);
}
