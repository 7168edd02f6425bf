// What the pools of a set of golden files are filled with. Addresses are those kept for documentation: nobody answers.

/** The same word in two Unicode forms: `NFC` is composed, `NFD` is not. */
const COMPOSED = 'Zo\u00eb-pass\u00e9';
const DECOMPOSED = COMPOSED.normalize('NFD');

/** A passphrase that is stored decomposed, and typed composed by another keyboard. */
export const PASSPHRASE = `${DECOMPOSED} \u03a9\u2126 caf\u00e9 \u{1f511}`;

/** Each in one pool; what a version does not know it rejects, and the set does without. */
export const PROXIES = [
  ...['http', 'https', 'socks4', 'socks5'].flatMap((protocol, p) =>
    ['active', 'failed', 'checking', 'disabled'].map((status, s) => ({
      protocol,
      host: `192.0.2.${10 * p + s + 1}`,
      port: 8000 + s,
      status,
      name: `${protocol} ${status}`,
      region: ['EU', 'US', 'DE-BY', null][s],
      latency: s === 0 ? 40 + p : null,
    })),
  ),
  { protocol: 'http', host: '2001:db8::17', port: 1, region: 'EU' },
  {
    protocol: 'https',
    host: 'xn--bcher-kva.example',
    port: 65535,
    name: 'B\u00fccher \u{1f4da}, "quoted"; #1',
  },
  {
    protocol: 'socks5',
    host: 'geo.example',
    port: 1080,
    geolocation: {
      country: 'DE',
      city: 'K\u00f6ln',
      region: 'Nordrhein-Westfalen',
      latitude: 50.9375,
      longitude: -6.9603,
      asn: 64496,
      timezone: 'Europe/Berlin',
    },
  },
  { protocol: 'socks5', host: 'local-dns.example', port: 1080, remoteDns: false },
  { protocol: 'socks4', host: 'local-dns.example', port: 1081, remoteDns: false },
  // Twice the same address without a login: versions from 0.2.0 reject the second.
  { protocol: 'http', host: 'twice.example', port: 80, name: 'first' },
  { protocol: 'http', host: 'twice.example', port: 80, name: 'second' },
];

/** Logins, each at a gateway of its own unless it says which. */
export const LOGINS = [
  { username: 'user', password: 'pass' },
  { username: 'only-a-username', password: '' },
  { username: '', password: 'only-a-password' },
  { username: 'user@example.com', password: 'p@ss:w%rd/?#[]&=+' },
  { username: 'with space', password: '"quotes" \'both\' \\ and , ; |' },
  {
    username: COMPOSED,
    password: '\u043f\u0430\u0440\u043e\u043b\u044c-\u5bc6\u7801-\u{1f511}',
    gate: 'unicode',
  },
  {
    username: DECOMPOSED,
    password: '\u043f\u0430\u0440\u043e\u043b\u044c-\u5bc6\u7801-\u{1f511}',
    gate: 'unicode',
  },
  { username: 'l'.repeat(100), password: `${'long-'.repeat(50)}end` },
  { username: 'same', password: 'session-1', gate: 'sessions' },
  { username: 'same', password: 'session-2', gate: 'sessions' },
  { username: 'same', password: '', gate: 'sessions' },
  { username: 'mobile', password: 'pass', rotateUrl: 'https://provider.example/rotate?token=canary%20token' },
  { username: '', password: '', rotateUrl: 'http://provider.example/rotate' },
];

/** What the specification's plain `encrypt` and `save` store: a text, bound to no proxy. */
export const TEXTS = { database: 'text under a data key \u{1f511}', source: 'text under the key itself' };

/** Lists as users import them, each under a tag of its own. */
export const LISTS = [
  {
    file: 'list.txt',
    text: `# a list of text
http://text-user:text-pass@198.51.100.1:8080
socks5://198.51.100.2:1080
https://u%40corp:p%3Aw%25@text.example:8443
198.51.100.3:3128
text-user:other-pass@198.51.100.4:8080
[2001:db8::a]:8080
`,
  },
  {
    file: 'colon.txt',
    format: 'colon',
    text: '198.51.100.11:8080:colon-user:colon-pass\n198.51.100.12:8080\n',
  },
  {
    file: 'list.csv',
    text: `protocol,host,port,username,password,name,region
http,198.51.100.21,8080,csv-user,"csv,""pass""",named by csv,US
socks5,198.51.100.22,1080,,,,
https,csv.example,443,J\u00fcrgen,gr\u00fcn,,EU
`,
  },
  {
    file: 'list.json',
    text: `${JSON.stringify(
      [
        { protocol: 'http', host: '198.51.100.31', port: 8080, username: 'json-user', password: 'json"pass' },
        { protocol: 'socks4', host: '198.51.100.32', port: 1080 },
        {
          protocol: 'http',
          host: 'json.example',
          port: 80,
          name: 'named by json',
          region: 'EU',
          latency: 120,
        },
      ],
      null,
      2,
    )}\n`,
  },
  {
    file: 'lines.json',
    text: `{"host":"198.51.100.41","port":8080,"protocol":"http","username":"u","password":"p"}
{"host":"198.51.100.42","port":1080,"protocol":"socks5"}
`,
  },
  {
    file: 'clash.yaml',
    text: `proxies:
  - name: "clash one"
    type: http
    server: 198.51.100.51
    port: 8080
    username: clash-user
    password: "clash: pass"
  - { name: clash two, type: socks5, server: clash.example, port: 1080 }
`,
  },
  {
    file: 'proxychains.conf',
    text: `strict_chain
[ProxyList]
socks5 198.51.100.61 1080 chain-user chain-pass
http 198.51.100.62 3128
`,
  },
];

/** An export of each format; `reveal: false` masks the logins. */
export const EXPORTS = [
  { file: 'urls.txt', format: 'urls', reveal: true },
  { file: 'urls-masked.txt', format: 'urls', reveal: false },
  { file: 'colon.txt', format: 'colon', reveal: true },
  { file: 'export.csv', format: 'csv', reveal: true },
  { file: 'export.json', format: 'json', reveal: true },
  { file: 'template.txt', format: 'template', reveal: true },
  {
    file: 'layout.txt',
    format: 'template',
    layout: '{protocol}://{username}:{password}@{host}:{port}',
    reveal: true,
  },
];

/** Rules with every field, operator, action and kind of value. */
export const rulesOf = (proxyId) => [
  {
    name: 'every condition',
    priority: 30,
    conditionLogic: 'OR',
    conditions: [
      { field: 'domain', operator: 'equals', value: 'shop.example' },
      { field: 'url', operator: 'starts-with', value: 'https://' },
      { field: 'protocol', operator: 'not-equals', value: 'http' },
      { field: 'region', operator: 'in', value: ['EU', 'US'] },
      { field: 'hour', operator: 'between', value: [8, 20] },
      { field: 'weekday', operator: 'not-in', value: [0, 6] },
      { field: 'failureCount', operator: 'greater-than', value: 2 },
      { field: 'latency', operator: 'less-than', value: 1500.5 },
      { field: 'domain', operator: 'ends-with', value: '.b\u00fccher.example' },
      { field: 'url', operator: 'contains', value: '/\u{1f511}?' },
      { field: 'successRate', operator: 'less-than', value: 50 },
    ],
    actions: [{ type: 'use-proxy', proxyId }],
  },
  {
    name: 'every action but one',
    priority: 20,
    conditions: [{ field: 'domain', operator: 'ends-with', value: 'slow.example' }],
    actions: [
      { type: 'use-region', region: 'EU' },
      { type: 'use-protocol', protocol: 'socks5' },
      { type: 'use-strategy', strategy: 'fastest' },
    ],
    stopOnMatch: false,
  },
  {
    name: 'blocked, switched off',
    priority: -5,
    conditions: [{ field: 'domain', operator: 'equals', value: 'blocked.example' }],
    actions: [{ type: 'block' }],
    enabled: false,
  },
  {
    name: 'same priority',
    priority: 20,
    conditions: [{ field: 'domain', operator: 'equals', value: 'same.example' }],
    actions: [{ type: 'block' }],
  },
];

export const configOf = (proxyId) => ({
  strategy: 'least-used',
  intervalMs: 60_000,
  maxRequestsPerProxy: 1000,
  failureThreshold: 4,
  options: {
    weights: { [proxyId]: 2.5 },
    regions: ['EU', 'US'],
    stickyTtlMs: 3_600_000,
    stickyByDefault: false,
    schedule: [
      { from: 0, to: 8, strategy: 'random' },
      { from: 8, to: 24, region: 'EU' },
    ],
    custom: 'fastest',
  },
});

export const stickiesOf = (first, second) => [
  { domain: 'shop.example', proxyId: first },
  { domain: '*.shop.example', proxyId: second, ttl: 3_600_000 },
  { domain: '*.example', proxyId: first, ttl: 86_400_000 },
  { domain: 'deep.a.shop.example', proxyId: first, ttl: 1 },
  { domain: '192.0.2.77', proxyId: second, ttl: null },
];

/** Asked for: exact, below a wildcard, below two of which the longer counts, expired, an address, and unknown. */
export const STICKY_QUESTIONS = [
  'shop.example',
  'a.shop.example',
  'other.example',
  'deep.a.shop.example',
  '192.0.2.77',
  'nowhere.invalid',
];
