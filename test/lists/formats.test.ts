import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { collect, kindsOf, proxiesOf } from '../support/verdicts.ts';

const PROXY = { protocol: 'http', host: '192.0.2.1', port: 80 };

describe('JSON', () => {
  const records: [name: string, record: object, proxy: object][] = [
    ['host and port', { host: '192.0.2.1', port: 80 }, PROXY],
    ['a port that is a text', { ip: '192.0.2.1', port: '80', type: 'HTTP' }, PROXY],
    ['host and port in one', { addr: '192.0.2.1:80', protocol: 'socks5' }, { ...PROXY, protocol: 'socks5' }],
    ['a URL', { proxy: 'socks4://192.0.2.1:80', protocol: 'SOCKS4' }, { ...PROXY, protocol: 'socks4' }],
    [
      'a URL in server',
      { server: 'http://u:p%40@192.0.2.1:80' },
      { ...PROXY, username: 'u', password: 'p@' },
    ],
    [
      'a provider of paid proxies',
      {
        proxy_address: '192.0.2.1',
        port: 80,
        username: 'u',
        password: 'p',
        country_code: 'us',
        city_name: 'X',
        valid: true,
      },
      { ...PROXY, username: 'u', password: 'p', geolocation: { country: 'US', city: 'X' } },
    ],
    [
      'a login under other names',
      { address: '192.0.2.1', port: 80, login: 'u', pass: 12 },
      { ...PROXY, username: 'u', password: '12' },
    ],
    [
      'nothing known',
      { host: '192.0.2.1', port: 80, country: 'ZZ', city: 'Unknown', asn: '', username: null },
      PROXY,
    ],
    [
      'a number with AS',
      { host: '192.0.2.1', port: 80, asn: 'AS13335 Name' },
      { ...PROXY, geolocation: { asn: 13_335 } },
    ],
    [
      'nested',
      {
        host: '192.0.2.1',
        port: 80,
        geolocation: { country: { iso_code: 'DE' }, city: { names: { en: 'B' } } },
      },
      { ...PROXY, geolocation: { country: 'DE', city: 'B' } },
    ],
    ['seconds', { host: '192.0.2.1', port: 80, timeout: 0.25 }, { ...PROXY, latency: 250 }],
    ['milliseconds', { host: '192.0.2.1', port: 80, timeout: 1200.4 }, { ...PROXY, latency: 1200 }],
    ['IPv6', { host: '2001:DB8::1', port: 80 }, { ...PROXY, host: '2001:db8::1' }],
    ['type that is no protocol', { host: '192.0.2.1', port: 80, type: 'elite' }, PROXY],
  ];
  it.each(records)('reads a record with %s', async (_, record, proxy) => {
    expect(proxiesOf(await collect(JSON.stringify([record])))).toEqual([proxy]);
    expect(proxiesOf(await collect(`${JSON.stringify(record)}\n`))).toEqual([proxy]);
    expect(proxiesOf(await collect(JSON.stringify({ count: 1, data: { list: [record] } })))).toEqual([proxy]);
  });

  const refused: [record: unknown, code: string][] = [
    [{ port: 80 }, 'not-a-proxy'],
    [{ host: '192.0.2.1' }, 'missing-port'],
    [{ host: '192.0.2.1', port: 80.5 }, 'bad-port'],
    [{ host: '010.0.0.1', port: 80 }, 'bad-host'],
    [{ host: '192.0.2.1', port: 80, protocol: 'vmess' }, 'unknown-scheme'],
    [{ host: '192.0.2.1', port: 80, type: 'socks' }, 'unknown-scheme'],
    [{ host: '192.0.2.1', port: 80, username: 'u', password: { a: 1 } }, 'bad-credentials'],
    [17, 'bad-record'],
    [['192.0.2.1'], 'missing-port'],
    [{ host: `${'x'.repeat(70_000)}`, port: 80 }, 'line-too-long'],
  ];
  it.each(refused)('refuses %j', async (record, code) => {
    expect(
      kindsOf(await collect(JSON.stringify([record, { host: 'h.example', port: 1 }]), { format: 'json' })),
    ).toEqual([code, 'proxy']);
  });

  it('gives a proxy for each protocol of a record, and takes texts', async () => {
    const both = [{ ip: '192.0.2.1', port: 80, protocols: ['http', 'socks5'] }, 'socks4://192.0.2.1:80'];
    expect(proxiesOf(await collect(JSON.stringify(both)))).toEqual([
      PROXY,
      { ...PROXY, protocol: 'socks5' },
      { ...PROXY, protocol: 'socks4' },
    ]);
  });

  it('says where a record stands, masks it, and continues after a broken one', async () => {
    const verdicts = await collect(
      '[\n  {"host": "h.example", "port": 99999, "password": "canary"},\n  {"host": canary}, {"host":"h.example","port":1}]',
    );
    expect(verdicts).toMatchObject([
      { code: 'bad-port', line: 2, column: 3, text: 'h.example:99999' },
      { code: 'bad-record', line: 3, column: 3, text: '***' },
      { kind: 'proxy', line: 3 },
    ]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
    const lines = await collect('{"host":"h.example","port":1}\n{"host"\n\n{"host":"h.example","port":2}');
    expect(kindsOf(lines)).toEqual(['proxy', 'bad-record', 'blank', 'proxy']);
  });

  it('says that a list is cut off', async () => {
    expect(kindsOf(await collect('[{"host":"h.example","port":1},'))).toEqual(['proxy', 'truncated']);
    expect(kindsOf(await collect('[{"host":"h.example","port":1},{"ho'))).toEqual(['proxy', 'truncated']);
  });

  it('does not care how it is cut, and how deep a hostile one is', async () => {
    const text = '[{"host":"h.example","port":1,"name":"a\\"]}"},{"host":"[::1]","port":2}]';
    const whole = await collect(text);
    expect(whole).toHaveLength(2);
    for (let at = 1; at < text.length; at++) {
      function* pieces(): Generator<string> {
        yield text.slice(0, at);
        yield text.slice(at);
      }
      expect(await collect(pieces())).toEqual(whole);
    }
    expect(kindsOf(await collect('['.repeat(200_000), { format: 'json' }))).toEqual(['truncated']);
    expect(kindsOf(await collect(`[${'['.repeat(60_000)}${']'.repeat(60_000)}]`))).toEqual(['line-too-long']);
  });
});

describe('CSV', () => {
  it('reads named columns in any order, case and quotes', async () => {
    const text =
      'Port,IP Address,Code,"User","Password"\n80,192.0.2.1,DE,u,"p,""q"\n\n# note\n81,192.0.2.1,ZZ,,\n';
    expect(kindsOf(await collect(text))).toEqual(['comment', 'proxy', 'blank', 'comment', 'proxy']);
    expect(proxiesOf(await collect(text))).toEqual([
      { ...PROXY, username: 'u', password: 'p,"q', geolocation: { country: 'DE' } },
      { ...PROXY, port: 81 },
    ]);
  });

  it('takes lines that begin with blanks', async () => {
    expect(kindsOf(await collect('ip,port\n      192.0.2.1,80\n   \n'))).toEqual([
      'comment',
      'proxy',
      'blank',
    ]);
  });

  it.each([',', ';', '\t', '|'])('takes %j as its delimiter', async (delimiter) => {
    const rows = [
      ['ip', 'port', 'user', 'pass'],
      ['192.0.2.1', '80', 'u', '"p;,|"'],
    ];
    const text = rows.map((row) => row.join(delimiter)).join('\r\n');
    expect(proxiesOf(await collect(text))).toEqual([{ ...PROXY, username: 'u', password: 'p;,|' }]);
  });

  it('reads a column for each protocol, ragged', async () => {
    const text =
      'SOCKS4,SOCKS5,HTTP,HTTPS\n192.0.2.1:1,192.0.2.1:2,,192.0.2.1:4\n,,192.0.2.1:3\n192.0.2.1:5\nx\n';
    const verdicts = await collect(text);
    expect(kindsOf(verdicts)).toEqual([
      'comment',
      'proxy',
      'proxy',
      'proxy',
      'proxy',
      'proxy',
      'missing-port',
    ]);
    expect(proxiesOf(verdicts)).toMatchObject([
      { protocol: 'socks4', port: 1 },
      { protocol: 'socks5', port: 2 },
      { protocol: 'https', port: 4 },
      { protocol: 'http', port: 3 },
      { protocol: 'socks4', port: 5 },
    ]);
  });

  it('reads quoted cells without a header, by their order', async () => {
    const text = '"192.0.2.1","80","u","p,x"\n"192.0.2.1","81"\n"192.0.2.1","82","a","b","c"\n';
    expect(kindsOf(await collect(text))).toEqual(['proxy', 'proxy', 'ambiguous']);
    expect(proxiesOf(await collect(text))[0]).toEqual({ ...PROXY, username: 'u', password: 'p,x' });
  });

  it('passes over rows of empty cells, with which spreadsheets end', async () => {
    const kinds = ['comment', 'proxy', 'blank', 'blank'];
    expect(kindsOf(await collect('ip,port,user\n192.0.2.1,80,u\n,,\n , ,\n'))).toEqual(kinds);
    expect(kindsOf(await collect('ip;port;user\n192.0.2.1;80;"u"\n;;\n"";"";\n'))).toEqual(kinds);
  });

  it('reads one line without an end, whatever separates its cells', async () => {
    expect(proxiesOf(await collect('"192.0.2.1";"80";"u";"p"'))).toEqual([
      { ...PROXY, username: 'u', password: 'p' },
    ]);
    expect(kindsOf(await collect('ip,port,user'))).toEqual(['comment']);
  });

  it('reads lines in quotes with a comma after them, as an array has them, as text', async () => {
    const text = '"http://u:p@192.0.2.1:80",\n"192.0.2.1:80:u:p" ,\n"192.0.2.1:80:u:p"\n';
    const proxy = { ...PROXY, username: 'u', password: 'p' };
    expect(proxiesOf(await collect(text))).toEqual([proxy, proxy, proxy]);
  });

  it('refuses a line with an open quote or too many cells, and no other', async () => {
    const text = 'ip,port,user\n192.0.2.1,80,"canary\n192.0.2.1,80,u,canary\n192.0.2.1,81,u\n';
    const verdicts = await collect(text);
    expect(kindsOf(verdicts)).toEqual(['comment', 'bad-record', 'bad-record', 'proxy']);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('configuration files of other tools', () => {
  it('Clash and Mihomo: http and socks5 entries, others by name', async () => {
    const text = `mixed-port: 7890
proxies:
  - {name: "a", type: http, server: 192.0.2.1, port: 80, username: u, password: 0123, tls: true}
  - name: b # comment
    type: socks5
    server: h.example
    port: 1080

  - {name: c, type: ss, server: 192.0.2.1, port: 1, password: canary}
  - {name: d, type: http
  - &x {name: e, type: http, server: h.example, port: 1}
proxy-groups:
  - {name: g, type: select}
`;
    const verdicts = await collect(text);
    expect(proxiesOf(verdicts)).toEqual([
      { protocol: 'https', host: '192.0.2.1', port: 80, username: 'u', password: '0123', name: 'a' },
      { protocol: 'socks5', host: 'h.example', port: 1080, name: 'b' },
      { protocol: 'http', host: 'h.example', port: 1, name: 'e' },
    ]);
    expect(verdicts.filter(({ kind }) => kind === 'refused')).toMatchObject([
      {
        code: 'unknown-scheme',
        line: 9,
        reason: expect.stringContaining('ss is not supported'),
        text: '192.0.2.1:1',
      },
      { code: 'bad-record', line: 10 },
    ]);
    const bomb = `proxies:\n  - ${'['.repeat(15_000)}\n  - {name: a, type: http, server: h.example, port: 1}\n`;
    expect(kindsOf(await collect(bomb))).toEqual(['comment', 'bad-record', 'proxy']);
  });

  it('proxychains', async () => {
    const text =
      'strict_chain\n\n[ProxyList]\n# c\nsocks4 127.0.0.1 9050\nsocks5 192.0.2.1 1080 u p\nhttp 192.0.2.1 80 # x\nraw 192.0.2.1 1\nsocks5 192.0.2.1 0\n';
    const verdicts = await collect(text);
    expect(kindsOf(verdicts)).toEqual([
      'comment',
      'blank',
      'comment',
      'comment',
      'proxy',
      'proxy',
      'proxy',
      'unknown-scheme',
      'bad-port',
    ]);
    expect(proxiesOf(verdicts)[1]).toEqual({
      protocol: 'socks5',
      host: '192.0.2.1',
      port: 1080,
      username: 'u',
      password: 'p',
    });
  });

  it('a Rota export: addresses under proxies', async () => {
    const text =
      '{"proxies":[{"id":1,"address":"192.0.2.1:80","protocol":"socks4a","status":"idle","requests":0}],"pagination":{"page":1}}';
    expect(proxiesOf(await collect(text))).toEqual([{ ...PROXY, protocol: 'socks4', remoteDns: true }]);
  });

  it('a Scrapoxy list: colons behind the scheme', async () => {
    expect(proxiesOf(await collect('https://192.0.2.1:80:u:p\n192.0.2.1:80:u:p\n'))).toHaveLength(2);
  });
});

describe('what is no list', () => {
  const files: [what: string, content: string | Uint8Array][] = [
    ['an HTML page', '\n<!DOCTYPE html>\n<html>192.0.2.1:80</html>'],
    ['an HTML page', '<html><body>Access denied'],
    ['an XML document', '<?xml version="1.0"?><Error/>'],
    ['an error message in JSON', '{"detail":"canary"}'],
    ['an error message in JSON', '{\n  "success": false,\n "errors": ["canary"]\n}'],
    ['JSON that holds no list', '{"a":1}'],
    ['sing-box or Xray', '{"outbounds":[{"type":"socks","server":"192.0.2.1","server_port":1}]}'],
    ['a ZIP archive', 'PK\u0003\u0004xyz'],
    ['compressed data', gzipSync('192.0.2.1:80')],
    ['an SQLite database', 'SQLite format 3\0'],
    ['binary data', Buffer.from([1, 2, 3, 0, 200, 201])],
    ['UTF-16 without a byte order mark', Buffer.from('192.0.2.1:80', 'utf16le')],
    ['base64', Buffer.from('ss://abc@192.0.2.1:80\nvmess://canary').toString('base64')],
    ['(PAC) script', 'function FindProxyForURL(url, host) { return "DIRECT"; }'],
    ['Surge', '[General]\nx = y\n[Proxy]\na = http, 192.0.2.1, 80'],
    ['WireGuard', '[Interface]\nPrivateKey = canary'],
  ];
  it.each(files)('%s is refused whole', async (what, content) => {
    const verdicts = await collect(typeof content === 'string' ? content : [content]);
    expect(verdicts).toMatchObject([{ kind: 'refused', code: 'not-a-list', line: 1, text: '' }]);
    expect(JSON.stringify(verdicts)).toContain(what);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('encodings', () => {
  it('UTF-16 with a byte order mark, in either order, cut anywhere', async () => {
    const text = '\uFEFFbücher.example:80:ü:ä\r\n192.0.2.1:80';
    const little = Buffer.from(text, 'utf16le');
    const big = Buffer.from(little).swap16();
    const expected = await collect(text.slice(1));
    for (const bytes of [little, big, Buffer.from(text)]) {
      expect(await collect([bytes])).toEqual(expected);
      expect(await collect(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
    }
  });

  it('a password that ends within a character is refused too', async () => {
    for (const end of ['\xc3', '\xe2\x82', '\xf0\x9f\x98'])
      expect(kindsOf(await collect(Buffer.from(`192.0.2.1:80:u:p${end}`, 'latin1')))).toEqual([
        'bad-encoding',
      ]);
  });

  it('a password that is not UTF-8 is refused, not mangled', async () => {
    expect(kindsOf(await collect([Buffer.from('h.example:1:u:p\u00e4\nh.example:2', 'latin1')]))).toEqual([
      'bad-encoding',
      'proxy',
    ]);
  });
});

describe('a protocol above lines', () => {
  it.each([
    ...[
      'SOCKS5',
      '[socks5]',
      '# SOCKS5',
      '=== SOCKS5 ===',
      'socks5:',
      'SOCKS5 proxies:',
      'SOCKS v5 proxy list',
    ],
    ...['socks5://', 'Type: SOCKS5', 'Protocol=socks5', '; socks5', '// Socks5 Proxies', '**SOCKS5**'],
  ])('alone in a line, as %s, is theirs', async (heading) => {
    const text = `${heading}\n\nh.example:1080\n- h.example:1080\nhttp://h.example:80\nHTTP\nh.example:80\n`;
    const socks5 = { protocol: 'socks5', host: 'h.example', port: 1080 };
    const http = { protocol: 'http', host: 'h.example', port: 80 };
    expect(proxiesOf(await collect(text))).toEqual([socks5, socks5, http, http]);
  });

  it.each(['SOCKS', 'Socks proxy list', 'SOCKS4/5', 'socks5h'])(
    'as %s must be named in each',
    async (heading) => {
      const text = `${heading}\nh.example:1080\nsocks4://h.example:1080\n`;
      expect(kindsOf(await collect(text)).slice(1)).toEqual(['unknown-scheme', 'proxy']);
    },
  );

  it('in YAML must be named in each entry', async () => {
    const text = 'type: "socks5"\nproxies:\n  - h.example:1080\n  - socks4://h.example:1080\n';
    expect(kindsOf(await collect(text)).slice(2)).toEqual(['unknown-scheme', 'proxy']);
  });

  it('is not detected by other words', async () => {
    for (const text of [
      'HTTP proxies are best',
      'socks5 h.example:1080',
      'http-proxy.example:80',
      'socks:80',
    ])
      expect(proxiesOf(await collect(`${text}\nh.example:1\n`)).at(-1)).toEqual({
        protocol: 'http',
        host: 'h.example',
        port: 1,
      });
  });
});
