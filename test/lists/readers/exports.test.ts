import { describe, expect, it } from 'vitest';
import { collect, kindsOf, proxiesOf } from '../../support/verdicts.ts';

describe('links of Telegram', () => {
  const PROXY = { protocol: 'socks5', host: 'h.example', port: 1080 };

  it.each([
    ['tg://socks?server=h.example&port=1080', PROXY],
    ['tg:socks?port=1080&server=h.example&user=&pass=', PROXY],
    [
      'https://t.me/socks?server=h.example&port=1080&user=u&pass=p%26%2B+%20',
      { ...PROXY, username: 'u', password: 'p&++ ' },
    ],
    ['  http://telegram.me/socks?server=H.example&port=1080', PROXY],
    ['t.me/socks?server=%5B2001:db8::1%5D&port=1080', { ...PROXY, host: '2001:db8::1' }],
  ])('%s is a SOCKS5 proxy', async (link, proxy) => {
    expect(proxiesOf(await collect(`# c\n${link}\n`))).toEqual([proxy]);
    expect(proxiesOf(await collect(JSON.stringify([link])))).toEqual([proxy]);
  });

  it.each([
    ['tg://proxy?server=h.example&port=443&secret=canary', 'unknown-scheme', 'MTProto'],
    ['https://t.me/proxy?server=h.example&port=443&secret=canary', 'unknown-scheme', 'MTProto'],
    ['tg://socks?server=h.example&port=443&secret=canary', 'unknown-scheme', 'MTProto'],
    ['tg://socks?server=h.example', 'missing-port', 'no port'],
    ['tg://socks?port=1080&user=canary&pass=canary', 'not-a-proxy', 'no server'],
    ['tg://socks?server=h.example&port=99999&user=canary&pass=canary', 'bad-port', '65535'],
    ['tg://socks?server=010.0.0.1&port=1&user=canary&pass=canary', 'bad-host', 'server'],
    ['tg://socks?server=h.example&port=1&login=canary', 'trailing-text', 'more than'],
    ['tg://socks?server=h.example&port=1&user=u&pass=a&pass=canary', 'ambiguous', 'two values'],
    ['tg://socks?server=h.example&port=1&user=u&pass=canary #x', 'trailing-text', 'percent-encoded'],
    [
      'tg://socks?server=a.example&port=1 tg://socks?server=b.example&port=2',
      'trailing-text',
      'after the link',
    ],
  ])('%s is rejected', async (link, code, reason) => {
    const verdicts = await collect(link);
    expect(verdicts).toMatchObject([{ code, reason: expect.stringContaining(reason) }]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('proxychains', () => {
  it('needs no [ProxyList]', async () => {
    const text = 'socks5 192.0.2.1 1080 u p\n# c\nhttp h.example 80 # n\n';
    const verdicts = await collect(text, { format: 'proxychains' });
    expect(kindsOf(verdicts)).toEqual(['proxy', 'comment', 'proxy']);
    expect(proxiesOf(verdicts)).toEqual([
      { protocol: 'socks5', host: '192.0.2.1', port: 1080, username: 'u', password: 'p' },
      { protocol: 'http', host: 'h.example', port: 80 },
    ]);
    expect(proxiesOf(await collect(`dynamic_chain\nproxy_dns\n${text}`))).toHaveLength(2);
  });

  it('has settings, and rejects any other line that is not a proxy', async () => {
    const settings = [
      ...['strict_chain', 'chain_len = 2', 'quiet_mode', 'proxy_dns', 'remote_dns_subnet 224'],
      ...['tcp_read_time_out 15000', 'localnet 127.0.0.0/255.0.0.0', '[ProxyList]'],
    ];
    const text = `${settings.join('\n')}\nhello world\nproxy-list\nsocks5 h.example 1 canary\nraw h.example 1\nsocks4 h.example\n`;
    const verdicts = await collect(text);
    expect(kindsOf(verdicts)).toEqual([
      ...settings.map(() => 'comment'),
      ...['not-a-proxy', 'not-a-proxy', 'ambiguous', 'unknown-scheme', 'bad-port'],
    ]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  it.each(['strict_chain\n[ProxyList]\n# socks5 192.0.2.1 1\n', '[ProxyList]', ' \n'])(
    '%j has no proxy, and that is an error',
    async (text) => {
      const verdicts = await collect(text, { format: 'proxychains' });
      expect(verdicts.at(-1)).toMatchObject({ code: 'not-a-list', line: 1 });
    },
  );
});

describe('a profile of Proxifier', () => {
  const profile = (
    proxies: string,
    options = '<Encryption mode="disabled" />',
  ): string => `\uFEFF<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<ProxifierProfile version="102" platform="Windows" product_id="0" product_minver="400">
  <Options>
    <Resolve><ExclusionList OnlyFromListMode="false">%ComputerName%; *.local</ExclusionList></Resolve>
    ${options}
  </Options>
  <ProxyList>
    <!-- <Proxy id="99" type="SOCKS5"> -->
${proxies}
  </ProxyList>
  <ChainList />
  <RuleList><Rule enabled="true"><Action type="Proxy">100</Action><Name>a</Name></Rule></RuleList>
</ProxifierProfile>
`;
  const proxy = (password: string): string =>
    `<Proxy id='100' type="SOCKS5"><Address>192.0.2.1</Address><Port>1080</Port><Options>48</Options><Authentication enabled="true"><Username>u</Username><Password>${password}</Password></Authentication></Proxy>`;

  it('has proxies, their logins and labels', async () => {
    const text = profile(`${proxy('p&amp;&lt;w')}
<Proxy id="101" type="HTTPS"><Authentication enabled="false"><Username>x</Username><Password>x</Password></Authentication>
  <Port>80</Port><Address>h.example</Address><Label>L</Label></Proxy>`);
    const verdicts = await collect(text);
    expect(proxiesOf(verdicts)).toEqual([
      { protocol: 'socks5', host: '192.0.2.1', port: 1080, username: 'u', password: 'p&<w' },
      { protocol: 'http', host: 'h.example', port: 80, name: 'L' },
    ]);
    expect(verdicts).toMatchObject([
      { line: 9, notes: [] },
      { line: 10, notes: [expect.stringContaining('HTTPS of Proxifier')] },
    ]);
    for (let size = 1; size < 60; size += 7) {
      function* pieces(): Generator<string> {
        for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
      }
      expect(await collect(pieces())).toEqual(verdicts);
    }
  });

  it('has passwords that Proxifier encrypted, which are rejected by name', async () => {
    for (const options of ['<Encryption mode="basic" />', '<Encryption mode="master"/>']) {
      const verdicts = await collect(profile(proxy('canary'), options));
      expect(verdicts).toMatchObject([
        { code: 'bad-credentials', reason: expect.stringContaining('has encrypted') },
      ]);
      expect(JSON.stringify(verdicts)).not.toContain('canary');
    }
    const unsaid = await collect(profile(proxy('AAACanaryCanary='), ''));
    expect(unsaid).toMatchObject([
      { code: 'bad-credentials', reason: expect.stringContaining('may be encrypted') },
    ]);
    expect(proxiesOf(await collect(profile(proxy('secret'), '')))).toMatchObject([{ password: 'secret' }]);
  });

  it.each([
    ['cut off', profile(proxy('p')).slice(0, -30), ['proxy', 'truncated']],
    ['without a proxy', profile(''), ['not-a-list']],
    [
      'of another kind of proxy',
      profile('<Proxy id="1" type="SSH"><Address>h.example</Address><Port>1</Port></Proxy>'),
      ['unknown-scheme'],
    ],
    ['without an address', profile('<Proxy id="1" type="SOCKS5"><Port/><Address/></Proxy>'), ['not-a-proxy']],
    ['with an entity', profile(proxy('&canary;')), ['truncated']],
    ['with an entity that objects have', profile(proxy('&toString;')), ['truncated']],
    ['with CDATA', profile(proxy('<![CDATA[canary]]>')), ['truncated']],
    ['with tags that are not nested', profile(proxy('p').replace('</Address>', '</Port>')), ['truncated']],
    ['with a DTD', `<!DOCTYPE x [<!ENTITY a "b">]>${profile('').slice(57)}`, ['not-a-list']],
    ['with endless tags', `<ProxifierProfile><a ${'x'.repeat(40_000)}`, ['truncated']],
    ['nested too deep', `<ProxifierProfile>${'<a>'.repeat(40_000)}`, ['truncated']],
  ])('is rejected %s', async (_, text, kinds) => {
    const verdicts = await collect(text);
    expect(kindsOf(verdicts)).toEqual(kinds);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('what other programs write and is no list', () => {
  const json = JSON.stringify({ config: '{"firstTime":":]","proxyMode":"manual"}', profiles: 'canary' });
  it.each([
    [
      'PAC',
      '// Copyright, https://x.example/\nvar p = "PROXY 192.0.2.1:80";\nfunction FindProxyForURL(u, h) {\n  return p;\n}\n',
    ],
    ['PAC', 'var FindProxyForURL = function(init, profiles) { return "canary" };'],
    ['PAC', 'var a=1;function FindProxyForURL(u,h){return a}'],
    [
      'Windows registry',
      'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\x]\r\n"ProxyServer"="192.0.2.1:80"\r\n',
    ],
    [
      'Windows registry',
      Buffer.from('\uFEFFWindows Registry Editor Version 5.00\r\n"ProxyServer"="canary"\r\n', 'utf16le'),
    ],
    ['Windows registry', '"ProxyEnable"=dword:00000001\n"ProxyServer"="192.0.2.1:80"\n'],
    ['Proxy SwitchySharp', Buffer.from(json).toString('base64')],
    ['subscriptions', Buffer.from('ss://canary@192.0.2.1:80\nvmess://canary').toString('base64')],
    ['Firefox', '// Mozilla User Preferences\nuser_pref("network.proxy.http", "192.0.2.1");\n'],
    ['word processor', '{\\rtf1\\ansi 192.0.2.1:80}'],
    ['XML', '<proxies><proxy>192.0.2.1:80</proxy></proxies>'],
    ['AdsPower', 'name=N\nproxytype=socks5\nproxy=192.0.2.1:1080:u:canary\n\nname=M\nproxytype=http\n'],
    ['Surge', '#!MANAGED-CONFIG https://x.example\n[General]\nx = y\n[Proxy]\na = http, 192.0.2.1, 80'],
  ])('%s is named', async (what, content) => {
    function* bytes(): Generator<Uint8Array> {
      yield Buffer.from(content);
    }
    const verdicts = await collect(bytes());
    expect(verdicts).toMatchObject([{ code: 'not-a-list', reason: expect.stringContaining(what) }]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  it('is not a list of addresses in angle brackets', async () => {
    for (const line of ['<http://192.0.2.1:80>', '<u:p@192.0.2.1:80>', '<h.example:80>'])
      expect(proxiesOf(await collect(`${line}\n${line}\n`))).toHaveLength(2);
    for (const page of ['<proxies/>', '<a:b c="d">', '<?xml version="1.0"?>', '<Proxy>', '<!-- x -->'])
      expect(kindsOf(await collect(page))).toEqual(['not-a-list']);
  });

  it('is not every list that mentions one', async () => {
    expect(proxiesOf(await collect('# for FindProxyForURL(u, h)\nhttp://192.0.2.1:80\n'))).toHaveLength(1);
  });
});
