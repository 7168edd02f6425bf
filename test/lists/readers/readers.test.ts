import { describe, expect, it } from 'vitest';
import { collect, kindsOf, proxiesOf } from '../../support/verdicts.ts';

const MANY = JSON.stringify(Array.from({ length: 5000 }, (_, n) => `h.example:${n + 1}`));
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}${MANY}${'}'.repeat(depth)}`;
const profile = (password: string): string =>
  `<ProxifierProfile><ProxyList><Proxy type="HTTP"><Address>h.example</Address><Port>1</Port><Authentication enabled="true"><Username>u</Username><Password>${password}</Password></Authentication></Proxy></ProxyList></ProxifierProfile>`;

describe('a CSV', () => {
  it('counts its lines, and so does a text, beside one that is too long', async () => {
    const long = 'x'.repeat(8193);
    for (const [first, row] of [
      ['host,port', 'h.example,1'],
      ['# note', 'h.example:1'],
    ])
      expect(await collect([first, long, row, long, row].join('\n'))).toMatchObject([
        { kind: 'comment', line: 1 },
        { code: 'line-too-long', line: 2, column: 8193 },
        { kind: 'proxy', line: 3 },
        { code: 'line-too-long', line: 4, column: 8193 },
        { kind: 'proxy', line: 5 },
      ]);
  });

  it('with a column for each protocol has no cells after them', async () => {
    const verdicts = await collect('http,socks5\nh.example:1,h.example:2,canary\n');
    expect(proxiesOf(verdicts)).toMatchObject([{ protocol: 'http' }, { protocol: 'socks5' }]);
    expect(verdicts.at(-1)).toMatchObject({
      code: 'bad-record',
      reason: expect.stringContaining('more cells'),
    });
  });

  it('has no header in a sentence of a banner that has the name of a column', async () => {
    expect(kindsOf(await collect('Welcome to it\nproxy, enjoy\n192.0.2.1:80\n'))).toEqual([
      'not-a-proxy',
      'not-a-proxy',
      'proxy',
    ]);
  });

  it('has the comma as its delimiter where others occur as often', async () => {
    const verdicts = await collect('proxy,note;x\nhttp://h.example:1,foo\n');
    expect(kindsOf(verdicts)).toEqual(['comment', 'proxy']);
  });
});

describe('a configuration of proxychains', () => {
  it.each([
    ['u p', 'proxy'],
    ['u p # note', 'proxy'],
    ['u p #', 'proxy'],
    ['# note', 'proxy'],
    ['u p extra', 'trailing-text'],
    ['u p extra more', 'trailing-text'],
    ['u', 'ambiguous'],
    ['u # note', 'ambiguous'],
  ])('with %j after the address is %s', async (words, kind) => {
    expect(kindsOf(await collect(`[ProxyList]\nsocks5 h.example 1 ${words}`))).toEqual(['comment', kind]);
  });
});

describe('a profile of Proxifier', () => {
  it('has the whole of a password with a comment in it', async () => {
    expect(proxiesOf(await collect(profile('ab<!-- > note -->cd')))).toMatchObject([{ password: 'abcd' }]);
  });

  it.each([
    [16_384, 'it is cut off'],
    [16_385, 'too long'],
  ])('whose last text of %i characters has no end is rejected: %s', async (length, reason) => {
    const begun = `${profile('').split('<Password>')[0]}<Password>${'x'.repeat(length)}`;
    expect(await collect(begun)).toMatchObject([
      { code: 'truncated', reason: expect.stringContaining(reason) },
    ]);
  });
});

describe('a JSON document', () => {
  it('has the line of each value, also where one ends with its line', async () => {
    expect(
      (await collect('["h.example:2",5\n,6\n\n,"h.example:0"\n,null\n,"h.example:1"]')).map(
        ({ line }) => line,
      ),
    ).toEqual([1, 1, 2, 4, 5, 6]);
  });

  it('in lines has the column of each value', async () => {
    const bad = '{"host":"h.example","port":0}';
    expect(await collect(`${bad}\n   ${bad}\n\t${bad}`)).toMatchObject([
      { line: 1, column: 1 },
      { line: 2, column: 4 },
      { line: 3, column: 2 },
    ]);
  });

  it('is opened six times if it is too long to be kept, and no deeper', async () => {
    expect(proxiesOf(await collect(nested(6)))).toHaveLength(5000);
    const [verdict, ...others] = await collect(nested(7));
    expect(verdict).toMatchObject({ code: 'line-too-long', column: 65_537 });
    expect(others).toHaveLength(0);
  });

  it.each(['["h.example:1"]]', '["h.example:1"]}'])(
    '%s ends at the bracket that closes nothing',
    async (text) => {
      expect(kindsOf(await collect(`${text}\n["h.example:2"]`)).slice(0, 2)).toEqual(['proxy', 'truncated']);
      expect(proxiesOf(await collect(`${text}\n["h.example:2"]`))).toHaveLength(1);
    },
  );

  it('says that a list in a list is empty', async () => {
    expect(await collect('["h.example:1",[]]')).toMatchObject([
      { kind: 'proxy' },
      { code: 'bad-record', reason: 'the list is empty' },
    ]);
    expect(kindsOf(await collect('[["host","port"],[],["h.example",1]]'))).toEqual([
      'comment',
      'bad-record',
      'proxy',
    ]);
  });
});

describe('the protocol of a list in JSON', () => {
  it.each([
    ['{"socks5":{"http":["h.example:1"]}}', 'http'],
    ['{"http":{"all":{"socks4_list":["h.example:1"]}}}', 'socks4'],
    ['{"socks5":{"all":["h.example:1"]}}', 'socks5'],
    ['{"http":{"type":"socks5","all":["h.example:1"]}}', 'socks5'],
  ])('is that of the nearest name: %s is %s', async (list, protocol) => {
    expect(proxiesOf(await collect(list))).toMatchObject([{ protocol }]);
  });

  it.each(['http_socks5', 'http and socks4', 'socks4-socks5', 'httpSocks5'])(
    'is ignored if the name has several, as %s',
    async (name) => {
      expect(await collect(JSON.stringify({ [name]: ['h.example:1'] }))).toMatchObject([
        { code: 'bad-record', reason: 'the name of the list has several protocols' },
      ]);
    },
  );

  it('is not that of another object at the same place', async () => {
    const objects = '[{"type":"socks5","list":["h.example:1"]},{"list":["h.example:2"]}]';
    expect(proxiesOf(await collect(objects))).toMatchObject([{ protocol: 'socks5' }, { protocol: 'http' }]);
  });

  it('is rejected if it comes after a list that is too long to be kept', async () => {
    const verdicts = await collect(`{"proxies":${MANY},"protocol":"socks5"}`);
    expect(proxiesOf(verdicts)).toHaveLength(5000);
    expect(verdicts.at(-1)).toMatchObject({
      code: 'bad-record',
      reason: 'the protocol comes after the list that it is meant for',
    });
  });

  it('may be the target of a URL of HTTP, and of no other', async () => {
    for (const wrap of [(url: string) => `[{"https":"${url}"}]`, (url: string) => `https,http\n${url},`]) {
      expect(proxiesOf(await collect(wrap('http://h.example:1')))).toMatchObject([{ protocol: 'http' }]);
      expect(kindsOf(await collect(wrap('socks5://h.example:1'))).at(-1)).toBe('ambiguous');
    }
  });
});

describe('an export of another tool', () => {
  it('FoxyProxy 7 numbers its protocols', async () => {
    const entries = [1, 2, 3, 4].map((type) => ({ type, address: 'h.example', port: 1, whitePatterns: [] }));
    expect(proxiesOf(await collect(JSON.stringify(entries)))).toMatchObject(
      ['http', 'https', 'socks5', 'socks4'].map((protocol) => ({ protocol })),
    );
  });

  it('SwitchyOmega with the login of a proxy that it does not have is rejected', async () => {
    const fallbackProxy = { scheme: 'http', host: 'h.example', port: 1 };
    const login = { username: 'u', password: 'canary' };
    const omega = (auth: object): string =>
      JSON.stringify([{ profileType: 'FixedProfile', name: 'N', fallbackProxy, auth }]);
    for (const auth of [{ fallbackProxy: login }, { all: login }])
      expect(proxiesOf(await collect(omega(auth)))).toMatchObject([login]);
    const verdicts = await collect(omega({ proxyForHttp: login }));
    expect(verdicts).toMatchObject([
      { code: 'bad-record', reason: expect.stringContaining('does not have') },
    ]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('a list of YAML', () => {
  it('that is not said to hold proxies has one where there is a host and more of a proxy', async () => {
    const read = async (members: string) =>
      kindsOf(await collect(`x:\n- {server: h.example, ${members}}\n`))[1];
    expect(await read('port: 1')).toBe('proxy');
    expect(await read('username: u')).toBe('missing-port');
    for (const members of ['name: x', 'city: Berlin', 'latency: 5'])
      expect(await read(members)).not.toMatch(/^(?:proxy|missing-port)$/);
  });

  it('has entries that stand for themselves, without what stands elsewhere', async () => {
    for (const list of [
      '- &a {server: h.example, type: http, port: 2}\n- *a\n',
      '- {server: &a h.example, name: *a, type: http, port: 1}\n',
    ])
      expect((await collect(`proxies:\n${list}`)).at(-1)).toMatchObject({
        code: 'bad-record',
        reason: 'the entry is not YAML that stands for itself',
      });
  });
});
