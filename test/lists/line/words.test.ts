import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineVerdict, type ListedProxy, parseProxyLine } from '../../../src/lists/index.ts';
import { readProxyLine } from '../../../src/lists/line/parse-line.ts';

/** What a line reads as, in short: a proxy, `rejected`, or several proxies. */
function read(line: string): unknown {
  const found = readProxyLine(line).map((verdict) =>
    verdict.kind === 'proxy' ? verdict.proxy : verdict.kind,
  );
  return found.length === 1 ? found[0] : found;
}

const HTTP = { protocol: 'http', host: '192.0.2.1', port: 8080 };
const LOGIN = { username: 'user', password: 'pass' };
const rotateUrl = 'https://change.example.com/?key=abc';

describe('what stands around a proxy is no part of it', () => {
  const cases: [line: string, proxy: unknown][] = [
    ['HTTP_PROXY=http://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['export https_proxy="http://user:pass@192.0.2.1:8080"', { ...HTTP, ...LOGIN }],
    ['$env:HTTP_PROXY = "http://user:pass@192.0.2.1:8080"', { ...HTTP, ...LOGIN }],
    ['SOCKS5_PROXY=192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['HTTPS_PROXY=192.0.2.1:8080', 'refused'],
    [`HTTPS_PROXY=192.0.2.1:8080:user:pass[${rotateUrl}]`, 'refused'],
    [
      `SOCKS5_PROXY=192.0.2.1:8080:user:pass[${rotateUrl}]`,
      { ...HTTP, ...LOGIN, protocol: 'socks5', rotateUrl },
    ],
    ["https_proxy: 'http://user:pass@192.0.2.1:8080'", { ...HTTP, ...LOGIN }],
    ['HTTPS_PROXY: http://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['HTTPS_PROXY: 192.0.2.1:8080', 'refused'],
    ['"https": "http://user:pass@192.0.2.1:8080",', { ...HTTP, ...LOGIN }],
    ['"http": "socks5://user:pass@192.0.2.1:8080",', { ...HTTP, ...LOGIN, protocol: 'socks5' }],
    ['socks5_proxy: 192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['socks5: http://192.0.2.1:8080', 'refused'],
    ['SOCKS5_PROXY=http://192.0.2.1:8080', 'refused'],
    ['SOCKS5_PROXY="socks5://192.0.2.1:8080"', { ...HTTP, protocol: 'socks5' }],
    ['SOCKS_PROXY=socks4://192.0.2.1:8080', { ...HTTP, protocol: 'socks4' }],
    ['socksProxy=192.0.2.1:8080', 'refused'],
    ['sshProxy=192.0.2.1:22', 'refused'],
    ['vmess_proxy: 192.0.2.1:443', 'refused'],
    ['NO_PROXY=192.0.2.1:8080', 'refused'],
    ['"noProxy": "192.0.2.1:8080"', 'refused'],
    ['nonProxyHosts=192.0.2.1:8080', 'refused'],
    ['proxy_bypass = user:pass@192.0.2.1:8080', 'refused'],
    ['proxy_user=alice:pw@192.0.2.1:8080', 'refused'],
    ['\u2705h.example:8080', 'refused'],
    ['\u00BBh.example:8080', 'refused'],
    ['\u2022h.example:8080:user:pass', 'refused'],
    ['\u3010US\u3011h.example:8080', 'refused'],
    ['paral\u00B7lel.example:80', { protocol: 'http', host: 'xn--parallel-koa.example', port: 80 }],
    ['--proxy-server=socks5://192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['"proxy": "user:pass@192.0.2.1:8080",', { ...HTTP, ...LOGIN }],
    ['proxy = user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['Proxy 1: 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['Proxy #2 - 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['- http://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['* user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN }],
    ['12. 192.0.2.1:8080:user:pass', { ...HTTP, ...LOGIN }],
    ['| 192.0.2.1 | 8080 | SOCKS5 |', { ...HTTP, protocol: 'socks5' }],
    ['curl -x socks5://user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN, protocol: 'socks5' }],
    ['curl -s -x user:pass@192.0.2.1:8080 "https://example.com/a"', { ...HTTP, ...LOGIN }],
    ['curl --socks5-hostname 192.0.2.1:8080 https://example.com/', { ...HTTP, protocol: 'socks5' }],
    ['curl --proxy http://192.0.2.1:8080 -U user:pass https://example.com', 'refused'],
    ["'http://user:pass@192.0.2.1:8080',", { ...HTTP, ...LOGIN }],
    ['<http://user:pass@192.0.2.1:8080>', { ...HTTP, ...LOGIN }],
    ['socks5 user:pass@192.0.2.1:8080', { ...HTTP, ...LOGIN, protocol: 'socks5' }],
    ['SOCKS v5: 192.0.2.1:8080', { ...HTTP, protocol: 'socks5' }],
    ['socks 192.0.2.1:8080', 'refused'],
    ['http//user:pass@192.0.2.1:8080', 'refused'],
    ['http:/user:pass@192.0.2.1:8080', 'refused'],
    ['http:user:pass@192.0.2.1:8080', 'refused'],
    ['socks5:user:192.0.2.1:8080', 'refused'],
    ['name=user:pass@192.0.2.1:8080', 'refused'],
    ['US,user:pass@192.0.2.1:8080', 'refused'],
    ['\u200b192.0.2.1:8080:user:pass\u200b', { ...HTTP, ...LOGIN }],
    ['192.0.2.1\u00ad:8080', HTTP],
    ['\u00a0192.0.2.1:8080\u00a0', HTTP],
    ['192.0.2.1:8080:us\u200ber:pass', 'refused'],
    ['192.0.2.1:8080:us\u00a0er:pass', 'refused'],
  ];
  it.each(cases)('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it('but a username may have what a provider puts in it', () => {
    for (const username of [
      'acct;country=US;session=1',
      'brd-customer-x-ip-192.0.2.9',
      'me@mail.example',
      'a.b+c',
      'proxy',
    ])
      expect(read(`${username}:pass@192.0.2.1:8080`)).toEqual({ ...HTTP, username, password: 'pass' });
    for (const password of [
      'pass_country-us_session-x',
      'p:w',
      'p#w',
      'p@w',
      '{session}',
      '8888',
      'p/w',
      'p%40w',
    ])
      expect(read(`192.0.2.1:8080:user:${password}`)).toEqual({ ...HTTP, username: 'user', password });
  });
});

describe('what follows a proxy is no part of it', () => {
  const cases: [line: string, proxy: unknown][] = [
    ['192.0.2.1:8080:user:pass # office', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass // office', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass => success', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass,', 'refused'],
    ['"192.0.2.1:8080:user:pass",', { ...HTTP, ...LOGIN }],
    ['user:pass@192.0.2.1:8080,', { ...HTTP, ...LOGIN }],
    ['user:pass@192.0.2.1:8080/', { ...HTTP, ...LOGIN }],
    ['192.0.2.1:8080:user:pass/', 'refused'],
    ['192.0.2.1:8080:user:pass #office', 'refused'],
    ['192.0.2.1:8080:user:pass office', 'refused'],
    ['192.0.2.1:8080:user:pass,office', 'refused'],
    ['192.0.2.1:8080:user:pass[office]', 'refused'],
    ['192.0.2.1:8080:user:pass:US', 'refused'],
    ['socks5://192.0.2.1:8080:user:p#w', { ...HTTP, protocol: 'socks5', username: 'user', password: 'p#w' }],
    ['192.0.2.1:8080:US:elite', 'refused'],
    ['US:Berlin:192.0.2.1:8080', 'refused'],
    [`192.0.2.1:8080:user:pass[${rotateUrl}]`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass|${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass:${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`192.0.2.1:8080:user:pass ${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    [`socks5://user:pass@192.0.2.1:8080[${rotateUrl}]`, { ...HTTP, ...LOGIN, protocol: 'socks5', rotateUrl }],
    [`192.0.2.1:8080 socks5 ${rotateUrl}`, { ...HTTP, protocol: 'socks5', rotateUrl }],
    [`192.0.2.1:8080:user:pass${rotateUrl}`, 'refused'],
    ['192.0.2.1:8080:user:pass https://change.example.com', 'refused'],
    [
      'socks5://user:pass@192.0.2.1:8080:Office 1',
      { ...HTTP, ...LOGIN, protocol: 'socks5', name: 'Office 1' },
    ],
    ['socks5://user:pass@192.0.2.1:8080:1234', 'refused'],
    ['192.0.2.1:8080#office', { ...HTTP, name: 'office' }],
    ['192.0.2.1:8080#alice:S3cretPw9', 'refused'],
    ['http://192.0.2.1:8080#alice@S3cretPw9', 'refused'],
    ['http://192.0.2.1:8080#192.0.2.1:8080', { ...HTTP, name: '192.0.2.1:8080' }],
    ['http://u:p@192.0.2.1:8080#h.example:81:alice:S3cretPw9', 'refused'],
    ['192.0.2.1:8080 # alice:S3cretPw9', 'refused'],
    ['192.0.2.1:8080 ; alice;S3cretPw9', 'refused'],
    ['192.0.2.1:8080 # alice S3cretPw9', 'refused'],
    ['192.0.2.1:8080 // alice - S3cretPw9', 'refused'],
    ['192.0.2.1:8080 # alice / S3cretPw9', 'refused'],
    ['192.0.2.1:8080 # alice@S3cretPw9', 'refused'],
    ['192.0.2.1:8080 # login=alice password=S3cret', 'refused'],
    ['192.0.2.1:8080 # user: alice pass: S3cret', 'refused'],
    ['192.0.2.1:8080 # user alice pass S3cret', 'refused'],
    ['192.0.2.1:8080 # \u043B\u043E\u0433\u0438\u043D alice', 'refused'],
    ['192.0.2.1:8080 # my office, floor 2', HTTP],
    ['192.0.2.1:8080 # no auth', HTTP],
    ['192.0.2.1:8080 # US', { ...HTTP, geolocation: { country: 'US' } }],
    ['192.0.2.1:8080#user: alice pass: S3cret', 'refused'],
    ['192.0.2.1:8080# alice S3cretPw9', 'refused'],
    ['192.0.2.1:8080#alice S3cret:Pw9', 'refused'],
    [`user:pass@192.0.2.1:8080#${rotateUrl}`, { ...HTTP, ...LOGIN, rotateUrl }],
    ['user:pass@192.0.2.1:8080#ftp://a.example/b', 'refused'],
    ['192.0.2.1:8080;alice;S3cretPw9', 'refused'],
    ['192.0.2.1:8080;alice:S3cretPw9', 'refused'],
    ['192.0.2.1:8080@alice@S3cretPw9', 'refused'],
    ['192.0.2.1:8080@alice', 'refused'],
    ['192.0.2.1:8080 United States 120 ms', { ...HTTP, geolocation: { country: 'US' }, latency: 120 }],
    ['192.0.2.1:8080 \u{1F1E9}\u{1F1EA} 1.5s', { ...HTTP, geolocation: { country: 'DE' }, latency: 1500 }],
    ['192.0.2.1:8080 UK AS13335', { ...HTTP, geolocation: { country: 'GB', asn: 13_335 } }],
  ];
  it.each(cases)('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });
});

describe('a login is rejected if it may not be all of it, or more than it:', () => {
  it.each([
    // What stands after a colon.
    '192.0.2.1:8080:user:pass:120ms',
    '192.0.2.1:8080:user:pass:2026-01-31',
    '192.0.2.1:8080:user:pass:8081',
    '192.0.2.1:8080:user:pass:US:Berlin',
    '192.0.2.1:8080:user:pass:ssh',
    '192.0.2.1:8080:user:pass:change.example/?key=1',
    '192.0.2.1:8080:user:pass:My Proxy',
    '192.0.2.1:8080:user:pass:gw:8081',
    // A word before a colon.
    'proxy:user:pass@192.0.2.1:8080',
    'Proxy 1:user:pass@192.0.2.1:8080',
    '1:user:pass@192.0.2.1:8080',
    'US:user:pass@192.0.2.1:8080',
    '1:user:pass:192.0.2.1:8080',
    // A mark without a blank.
    '1.user:pass@192.0.2.1:8080',
    '-user:pass@192.0.2.1:8080',
    '*user:pass@192.0.2.1:8080',
    '\u2022user:pass@192.0.2.1:8080',
    '\u2013user:pass@192.0.2.1:8080',
    '\u2705user:pass@192.0.2.1:8080',
    'user\uFF1Apass@192.0.2.1:8080',
    '192.0.2.1:8080:user:pass\uFF0C',
    '192.0.2.1:8080:user:pass\u3002',
    '192.0.2.1:8080:user:pass\u2014US',
    '192.0.2.1:8080:user:pass\u2705',
    '192.0.2.1:8080:user:pass\u{1F1FA}\u{1F1F8}',
    '192.0.2.1:8080:\u00ABuser\u00BB:\u00ABpass\u00BB',
    '192.0.2.1:8080:user:pass=>OK',
    '192.0.2.1:8080:user:pass->live',
    '192.0.2.1:8080:user:pass{US}',
    '192.0.2.1:8080:user:pass\\n',
    '192.0.2.1:8080:user:pass\\n192.0.2.2:8080:user:pass',
    '192.0.2.1:8080:user:pass_192.0.2.2:8080:user:pass',
    '192.0.2.1:8080:user:pass\\\\',
    '192.0.2.1:8080:user:pass{',
    '192.0.2.1:8080:user:pass[',
    '{user:pass@192.0.2.1:8080',
    '\u00B7user:pass@192.0.2.1:8080',
    'change.example/r?k=1user:pass@192.0.2.1:8080',
    'https://change.example/?k=1|user:pass@192.0.2.1:8080',
    '192.0.2.1:8080:user=alice:pass=S3cret',
    '192.0.2.1:8080:login:alice:password:S3cret',
    '192.0.2.1,8080,user=alice,pass=S3cret',
    '1234 5678 192.0.2.1:8080',
    '#1 user:pass@192.0.2.1:8080',
    '#2. 192.0.2.1:8080:user:pass',
    '192.0.2.1:8080:user:pass,https://change.example/?key=1,name',
    '192.0.2.1:8080:user:pass[https://change.example/?key=1]name',
    '192.0.2.1:8080:user:pass|https://change.example/?key=1\uFF0Cname',
    '192.0.2.1:8080:user:pass# socks5',
    '192.0.2.1:8080:user:pass# US',
    '192.0.2.1:8080:user:pass->office',
    '192.0.2.1:8080:user:pass=>2026-01-01',
    '192.0.2.1:8080:user:pass[change.example/r?k=1',
    'socks5 #user:pass@192.0.2.1:8080',
    'proxy\u3002h.example:8080:user:pass',
    'user:pass@192.0.2.1:8080#https://change.example/?k=1\u3002note',
    // One word alone.
    'user@pass@192.0.2.1:8080',
    'user/pass@192.0.2.1:8080',
    'user@192.0.2.1:8080:pass',
    '192.0.2.1:8080::user:pass',
    '192.0.2.1:8080:user:********',
  ])('%s', (line) => {
    expect(read(line)).toBe('refused');
  });

  it('a protocol that we may not speak is no part of it', () => {
    for (const line of [
      'socks5@user:pass@192.0.2.1:8080',
      'socks5/user:pass@192.0.2.1:8080',
      'socks5#user:pass@192.0.2.1:8080',
      'http://socks5:user:pass@192.0.2.1:8080',
      '192.0.2.1:8080:user:pass_socks5',
      '192.0.2.1:8080:user:pass-socks5',
      '192.0.2.1:8080:user:pass#socks5',
      '192.0.2.1:8080:user:pass{socks5}',
      'ssh:user:pass@192.0.2.1:22',
      'ssh@192.0.2.1:22',
      'vmess:pass@192.0.2.1:443',
      '192.0.2.1:22:ssh:pass',
      '192.0.2.1:22:user:ssh',
    ])
      expect([line, read(line)]).toEqual([line, 'refused']);
  });
});

describe('a protocol that is named anywhere', () => {
  const socks5 = { ...HTTP, protocol: 'socks5' };
  it.each([
    ' socks5',
    ' (SOCKS5)',
    ' | SOCKS5 |',
    ',socks5',
    ';Socks5',
    ':socks5',
    '@socks5',
    '#socks5',
    '|SOCKS v5',
    ' socks-5 proxy',
    '\tSOCKS5\tUS',
  ])('is used: 192.0.2.1:8080%s', (tail) => {
    expect(read(`192.0.2.1:8080${tail}`)).toMatchObject(socks5);
  });

  it('is used after a login', () => {
    for (const tail of [':socks5', '|SOCKS5', ',socks5', '@socks5', '(SOCKS5)', ' socks5', ' [socks5]'])
      expect(read(`192.0.2.1:8080:user:pass${tail}`)).toEqual({ ...socks5, ...LOGIN });
    expect(read('192.0.2.1:8080:user:socks5')).toBe('refused');
  });

  it('is several if it names several', () => {
    const both = [{ ...HTTP, protocol: 'socks4' }, socks5];
    expect(read('192.0.2.1:8080 SOCKS4, SOCKS5')).toEqual(both);
    expect(read('192.0.2.1:8080 socks4/5')).toEqual(both);
    expect(read('192.0.2.1:8080 HTTP/HTTPS')).toEqual(HTTP);
    expect(read('192.0.2.1:8080 | HTTP | HTTPS')).toEqual(HTTP);
    expect(parseProxyLine('192.0.2.1:8080 socks4/5')).toMatchObject({ kind: 'refused', code: 'ambiguous' });
  });

  it('is rejected if it disagrees with another, or is not supported', () => {
    for (const line of [
      'http://192.0.2.1:8080 socks5',
      'socks5 http://192.0.2.1:8080',
      'http://192.0.2.1:8080:user:pass:socks5',
      '192.0.2.1:8080 SOCKS',
      '192.0.2.1:8080 vmess',
      'SOCKS4_PROXY=socks5://192.0.2.1:8080 socks4',
    ])
      expect(read(line)).toBe('refused');
  });

  it('is used after a # or in a comment, or the line is rejected', () => {
    for (const tail of ['#socks5', ' # socks5', ' // SOCKS v5', ' # SOCKS5 Germany', ' #socks5', ' ; socks5'])
      for (const proxy of ['192.0.2.1:8080', 'user:pass@192.0.2.1:8080'])
        expect([tail, read(proxy + tail)]).toMatchObject([tail, socks5]);
    expect(read('192.0.2.1:8080:user:pass # socks5')).toEqual({ ...socks5, ...LOGIN });
    for (const tail of [
      '#SOCKS5 Berlin',
      '#socks',
      '#vmess',
      ' # socks5 proxy from 12:30',
      ' # works with https',
      ' # vmess',
      ' # my socks proxy',
    ])
      expect([tail, read(`user:pass@192.0.2.1:8080${tail}`)]).toEqual([tail, 'refused']);
    expect(read('user:pass@192.0.2.1:8080:socks')).toBe('refused');
    expect(read('user:pass@192.0.2.1:8080:ssh')).toBe('refused');
    expect(read('http://user:pass@192.0.2.1:8080#socks5')).toBe('refused');
    expect(read('socks5://user:pass@192.0.2.1:8080#socks5')).toEqual({ ...socks5, ...LOGIN, name: 'socks5' });
    expect(read('http://192.0.2.1:8080#SOCKS5 Berlin')).toEqual({ ...HTTP, name: 'SOCKS5 Berlin' });
    expect(read('http://192.0.2.1:8080 # not socks5')).toEqual(HTTP);
    expect(read('192.0.2.1:8080 # https://list.example/free')).toEqual(HTTP);
  });

  it('is required with strictProtocol', () => {
    const strict = (line: string): string => parseProxyLine(line, { strictProtocol: true }).kind;
    expect(
      ['192.0.2.1:8080', '192.0.2.1:8080:user:pass', '192.0.2.1,8080', '192.0.2.1:8080 US'].map(strict),
    ).toEqual(Array(4).fill('refused'));
    expect(['http://192.0.2.1:8080', '192.0.2.1:8080 socks5', 'socks4,192.0.2.1,8080'].map(strict)).toEqual(
      Array(3).fill('proxy'),
    );
  });
});

describe('columns', () => {
  it.each([
    '192.0.2.1,8080,"user","pass"',
    '192.0.2.1,8080,user,pass # note',
    '192.0.2.1,8080,user,pass // note',
    '192.0.2.1;8080;user;pass socks5',
    '192.0.2.1,8080,user,pass:socks5',
    '192.0.2.1,8080,user,pass|https://change.example/?key=1',
    '192.0.2.1,8080,user,https://change.example/?key=1',
    '192.0.2.1,8080,192.0.2.2,8081',
    '192.0.2.1|8080|h.example|8081',
    '192.0.2.1,8080,192.0.2.2:8081,x',
    '192.0.2.1,8080,(user),(pass)',
    '192.0.2.1,8080,user,pass;',
    '192.0.2.1,8080,vmess,user',
    '192.0.2.1,8080,user,ssh',
    '192.0.2.1,8080,user,***',
    '192.0.2.1,8080,Jordan,12345',
    '192.0.2.1:8080,8081',
    '192.0.2.1 8080 8081',
    '192.0.2.1:8080 12345 67890',
    '192.0.2.1:8080;12345;67890',
  ])('that are no address and login alone are rejected: %s', (line) => {
    expect(read(line)).toBe('refused');
  });

  it('of numbers may be a login', () => {
    expect(read('192.0.2.1,8080,12345,67890')).toEqual({ ...HTTP, username: '12345', password: '67890' });
  });
});

describe('several proxies on one line', () => {
  const [first, second] = [HTTP, { protocol: 'http', host: 'h.example', port: 81 }];
  it.each([',', ', ', ';', ' ', '|', ' | ', '\t', ' ; '])('are each read between "%s"', (separator) => {
    expect(read(`192.0.2.1:8080${separator}h.example:81`)).toEqual([first, second]);
    expect(read(`192.0.2.1:8080:user:pass${separator}user:pass@h.example:81`)).toEqual([
      { ...first, ...LOGIN },
      { ...second, ...LOGIN },
    ]);
    expect(read(`http://user:pass@192.0.2.1:8080${separator}socks5://h.example:81`)).toEqual([
      { ...first, ...LOGIN },
      { ...second, protocol: 'socks5' },
    ]);
  });

  it.each([
    'socks5://192.0.2.1:8080,h.example:81',
    '192.0.2.1:8080,word,h.example:81',
    '192.0.2.1:8080:user:pass and user:pass@h.example:81',
    'one:8080:user:pass,two:8080:user:pass',
    'http://user:pass@192.0.2.1:8080 and http://user:pass@h.example:81',
  ])('are rejected if they are not certain: %s', (line) => {
    expect(read(line)).toBe('refused');
  });
});

const word = fc.stringMatching(/^[A-Za-z]{1,9}\d{0,3}$/);
const proxyText = fc.constantFrom(
  '192.0.2.1:8080',
  'http://192.0.2.1:8080',
  '192.0.2.1:8080:user:pass',
  'user:pass@192.0.2.1:8080',
  'socks5://user:pass@192.0.2.1:8080',
  'socks5://192.0.2.1:8080:user:pass',
  'user:pass:192.0.2.1:8080',
);
const gap = fc.constantFrom(
  ' ',
  ', ',
  ',',
  ';',
  '|',
  ' | ',
  '\t',
  ' - ',
  ': ',
  ' => ',
  ' # ',
  ' // ',
  '\u00a0',
  ' and ',
  '" ',
  " '",
  ' (',
  '; ',
);
const loginsOf = (verdicts: readonly LineVerdict[]): string[] =>
  verdicts.flatMap((verdict) => {
    if (verdict.kind !== 'proxy') return [];
    const { username = '', password = '' }: ListedProxy = verdict.proxy;
    return username === '' && password === '' ? [] : [`${username}:${password}`];
  });

describe('random words', () => {
  it('before, after and between proxies are never part of a login', () => {
    let logins = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(word, proxyText), gap), { minLength: 1, maxLength: 4 }),
        fc.oneof(word, proxyText),
        (parts, last) => {
          const line = parts.map(([text, between]) => text + between).join('') + last;
          for (const login of loginsOf(readProxyLine(line))) {
            expect([line, login]).toEqual([line, 'user:pass']);
            logins++;
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(logins).toBeGreaterThan(200);
  });

  it('never lose a login: a proxy that is read without one has none on its line', () => {
    let read = 0;
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 2 }),
        gap,
        gap,
        fc.array(word, { maxLength: 2 }),
        (before, x, y, after) => {
          for (const proxy of ['192.0.2.1:8080:user:pass', 'user:pass@192.0.2.1:8080']) {
            const line = [...before, proxy].join(x) + after.map((text) => y + text).join('');
            const verdicts = readProxyLine(line);
            if (!verdicts.some(({ kind }) => kind === 'proxy')) continue;
            expect([line, loginsOf(verdicts)]).toEqual([line, verdicts.map(() => 'user:pass')]);
            read++;
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(500);
  });
});

it('random words at other gaps change neither login nor host, and hide no protocol', () => {
  const gaps = fc.constantFrom(
    ...[' # ', ' // ', ' #', '# ', ' -> ', '->', '=>', ' / ', ' + ', ' {', ' <', '> ', '\t', '\u3000'],
    ...['\uFF0C', '\uFF1A', '\u3001', '\u3002', '\u2014', '\u2022', '\u2192', '\u00AB', '\u201C', '\u2705'],
  );
  const any = fc.constantFrom('alpha', 'Germany', 'socks5', 'SOCKS4', 'ssh', '8081', '120ms', 'S3cretPw9');
  const proxies = fc.constantFrom(
    ...['192.0.2.1:8080:user:pass', 'user:pass@192.0.2.1:8080', '192.0.2.1:8080@user:pass'],
    ...['user:pass:192.0.2.1:8080', '192.0.2.1,8080,user,pass', 'user:pass@h.example:8080'],
  );
  const around = fc.array(fc.tuple(any, gaps), { maxLength: 2 });
  let read = 0;
  fc.assert(
    fc.property(around, proxies, around, (before, proxy, after) => {
      const line = [
        ...before.map(([text, between]) => text + between),
        proxy,
        ...after.map(([text, between]) => between + text),
      ].join('');
      for (const verdict of readProxyLine(line)) {
        if (verdict.kind !== 'proxy') continue;
        read++;
        const { username, password, host, protocol } = verdict.proxy;
        expect([line, username, password]).toEqual([line, 'user', 'pass']);
        expect(['192.0.2.1', 'h.example']).toContain(host);
        if (/socks/i.test(line)) expect([line, protocol]).toEqual([line, expect.stringMatching(/^socks/)]);
      }
    }),
    { numRuns: 5000 },
  );
  expect(read).toBeGreaterThan(500);
});

it('a line that is read by one expression reads the same by all rules', () => {
  const part = fc.oneof(
    fc.stringMatching(/^[\w-]{1,12}$/),
    fc.constantFrom('http', 'socks5', 'US', 'elite', 'a_DE', 'localhost', '80', 'x_elite', 'Germany'),
    fc.constantFrom('ssh', 'socks', 'p-socks5', 'p_http', '-user', 'p_socks4a', 'raw', '1'),
  );
  const host = fc.oneof(
    fc.ipV4(),
    fc.domain(),
    fc.constantFrom('10.0.0.1', '256.1.1.1', 'a.b', 'xn--bcher-kva.example', '1.2.3.04'),
  );
  const shapes: ((h: string, n: number, u: string, p: string) => string)[] = [
    (h, n) => `${h}:${n}`,
    (h, n, u, p) => `${h}:${n}:${u}:${p}`,
    (h, n, u, p) => `${u}:${p}@${h}:${n}`,
  ];
  fc.assert(
    fc.property(
      fc.constantFrom('', 'http://', 'socks5h://', 'https://'),
      fc.constantFrom(...shapes),
      host,
      fc.integer({ min: 0, max: 70_000 }),
      part,
      part,
      (scheme, shape, h, n, u, p) => {
        const line = scheme + shape(h, n, u, p);
        // A blank before it keeps a line from the expression.
        const [slow] = readProxyLine(` ${line}`);
        const [fast] = readProxyLine(line);
        expect([line, fast]).toEqual([
          line,
          slow?.kind === 'refused' ? { ...slow, column: slow.column - 1 } : slow,
        ]);
      },
    ),
    { numRuns: 5000 },
  );
});
