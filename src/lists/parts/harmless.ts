import { isIPv6 } from 'node:net';

/** Longer lines are not looked at: prose and addresses are short. */
const MAX_LENGTH = 300;

const SCHEME =
  /^(?:https?|socks(?:\d[ah]?)?|s?ftp|ssh|tcp|udp|wss?|tls|quic|ss|ssr|vmess|vless|trojan|tuic|hysteria2?|hy2|snell|anytls|wireguard):\/\//i;
const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;
const NAME = /^((?:[\p{L}\d_-]{1,63}\.){1,8}([a-z]{2,13}))(:\d{1,5})?$/iu;

/** Names that end so are host names, also without a port. */
const COMMON_DOMAINS = new Set(['com', 'net', 'org', 'info', 'biz', 'example']);
/** Names that end so are host names if they have a port or a third label: a password may end so too. */
const OTHER_DOMAINS = new Set(
  `dev app xyz pro online site top club shop store cloud host tech space website live world network proxy vip link icu email
   digital agency services systems solutions test invalid local internal lan
   ac ae ai am ar at au az be bg br by ca cc ch cl cn co cz de dk ee es eu fi fr ge gg gr hk hr hu id ie il in io ir is it
   jp kr kz la li lt lu lv md me mx my nl no nu nz ph pl pt ro rs ru se sg sh si sk so su th to tr tv tw ua uk us vn ws za`.split(
    /\s+/,
  ),
);

/** Anonymity, SSL and Google, as spys.me marks them. */
const MARK = /^(?:[NAHS]!?|[+-])$/;
const COUNTRY = /^[A-Z]{2}$/;
const ANNOTATION =
  /^(?:\d{1,5}(?:\.\d{1,3})?(?:ms|s|sec|%)|noa|anm|hia|elite|anonymous|transparent|high|low|https?|socks[45]?[ah]?|ssl|yes|no|ok|success|successful|failed|failure|error|timeout|dead|down|offline|refused|alive|working|active|online|valid|invalid|good|bad|fast|slow)$/i;

const TAGS =
  /^(?:<!doctype html>|<\/?(?:html|head|body|title|meta|div|span|p|br|hr|table|thead|tbody|tr|td|th|ul|ol|li|pre|code|b|i|a|h[1-6]|center|font|script|style)\s*\/?>|\s)+$/i;

/** Lines that only separate, such as `-----`, `{`, `],`, or that name the columns. */
const RULE = /^(?:([-=_*~+.])\1*|[{}[\](),;]{1,3}|(?:ip|host):port)$/i;
/** A heading with a date or a count. */
const UPDATED = /^(?:last )?(?:updated?|generated|checked|total)(?: at| on)?:? (?=\S*\d)(.*)$/i;

const HTTP_ERROR =
  /^(?:error:? )?(?:[45]\d\d:? )?(?:bad request|unauthorized|payment required|forbidden|access denied|not found|too many requests|internal server error|bad gateway|service unavailable|gateway timeout)[.!]?$/i;

/** The words of banners, headings and errors. None of them is a common username or password by itself. */
const WORDS = new Set(
  `a about above access active add added address addresses after again alive all allowed also an and anonymity
   anonymous any api are as at authentication authorized available balance bandwidth be because been before being
   below by can cannot checked city click commercial contact cookies copy could countries country country-code
   daily data date day days dead denied did do does donate donations download downloaded each elite empty enabled
   entries entry error every exceeded expired expires failed fast fetched few file for forbidden format found free
   fresh from generated get google has have here high hour hourly hours http https if in inactive info information
   internet invalid ip ips is it its key know last latency later limit line lines list lists live location low made
   maintenance many me message min minute minutes missing month monthly more most ms new next no non-commercial
   none not note nothing notice now number of ok on one online only open or other our out over page paid payment
   per plan please port ports protocol proxies proxy proxy-list quota rate reached region remaining renew request
   requests required result results same second seconds see sent service should site sites socks sorry sorted
   source speed ssl status subject subscription support supported temporarily terms tested than thank thanks that
   the their there these this time timeout times to today token too top total traffic transparent try txt type
   unauthorized under unknown until up update updated updates use used using utc valid verified version visit wait
   warning was we web website week weekly were which while whitelist whitelisted will with working would yesterday
   you your
   jan feb mar apr may jun jul aug sep oct nov dec january february march april june july august september october november december
   mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday am pm gmt`.split(
    /\s+/,
  ),
);
/** They may come before a colon that is not the end of the line. */
const LABELS = /^(?:error|warning|note|notice|message|info|updated?|generated|total|status)$/i;
/** A day, a time of day, an offset, or a small number. */
const NUMBER =
  /^(?:#?\d{1,3}%?|\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}:\d\d(?::\d\d)?|[+-]\d{4}|20[2-4]\d)$/;
const LEAST_WORDS = 3;

/** Whether a line may be shown, since nothing in it may be a username or password. One unknown word is enough to say no. */
export function isHarmless(line: string): boolean {
  if (line.length > MAX_LENGTH) return false;
  const update = UPDATED.exec(line)?.[1];
  return (
    isBareAddress(line) ||
    isAnnotated(line) ||
    isGlobalIPv6(line) ||
    (wordsOf(line)?.size ?? 0) >= LEAST_WORDS ||
    (update !== undefined && wordsOf(update) !== null) ||
    [RULE, TAGS, HTTP_ERROR].some((pattern) => pattern.test(line))
  );
}

/** An IP address, or a host name with a port, to be shown beside what is masked. */
export function isAddress(text: string): boolean {
  const host = text.replace(/\/$/, '');
  if (host.length > MAX_LENGTH) return false;
  return IP.test(host) || /^localhost:\d{1,5}$/i.test(host) || (/:\d{1,5}$/.test(host) && isHostName(host));
}

/** A host with or without a port, also as a URL of a scheme that is known. */
export function isBareAddress(text: string): boolean {
  const host = text.replace(SCHEME, '').replace(/\/$/, '');
  return isAddress(host) || host === 'localhost' || isHostName(host);
}

function isHostName(host: string): boolean {
  const [, name = '', end = '', port] = NAME.exec(host) ?? [];
  const isLong = port !== undefined || name.split('.').length > 2;
  return COMMON_DOMAINS.has(end.toLowerCase()) || (isLong && OTHER_DOMAINS.has(end.toLowerCase()));
}

/** An address, and then only words that lists use as annotations, with one country at most. */
function isAnnotated(line: string): boolean {
  const [, address = '', rest = ''] = /^([^\s|,;]+)([\s|,;].*)$/s.exec(line) ?? [];
  if (!isBareAddress(address) || !/^[\w\s|,;=>()[\]+!.%-]+$/.test(rest)) return false;
  const words = rest.split(/[\s|,;=>()[\]]+|(?<=[A-Z!])-/).filter((word) => word !== '');
  const others = words.filter((word) => !ANNOTATION.test(word) && !MARK.test(word));
  return others.length <= 1 && others.every((word) => COUNTRY.test(word));
}

/** An IPv6 address without one or both brackets, in 2000::/3, perhaps with a port. No login reads so. */
export function isGlobalIPv6(line: string): boolean {
  const text = line.replace(/^\[|\]$/g, '');
  return /^[23][\da-f]{3}:/i.test(text) && isIPv6(text);
}

/** The different words of a text; null if one is not common, or the punctuation is not that of prose. */
function wordsOf(text: string): ReadonlySet<string> | null {
  const words = new Set<string>();
  const tokens = text.split(/[ /()]+/);
  for (const [index, token] of tokens.entries()) {
    if (/^[-–—|&*•=>.!]{0,3}$/u.test(token)) continue;
    const [, word = '', colon] = /^["'[*>]*(.*?)(:?)[.,!?"'\]…]*$/su.exec(token) ?? [];
    if (colon && index < tokens.length - 1 && !LABELS.test(word)) return null;
    if (isCommon(word)) words.add(word.toLowerCase());
    else if (!NUMBER.test(word)) return null;
  }
  return words;
}

/** A known word as people write it, and not as a generator of passwords does. */
function isCommon(word: string): boolean {
  return WORDS.has(word.toLowerCase()) && /^(?:[A-Z]?[a-z-]*|[A-Z-]+)$/.test(word);
}
