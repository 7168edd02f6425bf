import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ParseOptions } from '../../../src/lists/index.ts';
import { collect } from '../../support/verdicts.ts';

const json = (...records: unknown[]): string => JSON.stringify(records);
const csv = (...rows: string[]): string => rows.join('\n');
const ADDRESS = { ip: '192.0.2.1', port: 80 };
const PROXY = { protocol: 'http', host: '192.0.2.1', port: 80 };
const LOGIN = { username: 'u', password: 'canary' };

/** The proxies of a list, and of what is rejected the reasons. */
async function read(source: string, options?: ParseOptions): Promise<unknown[]> {
  return (await collect(source, options)).flatMap((verdict): unknown[] => {
    if (verdict.kind === 'refused') return [verdict.reason];
    return verdict.kind === 'proxy' ? [JSON.parse(JSON.stringify(verdict.proxy))] : [];
  });
}

async function notesOf(source: string): Promise<readonly string[]> {
  return (await collect(source)).flatMap((verdict) => (verdict.kind === 'proxy' ? verdict.notes : []));
}

describe('a login in a record', () => {
  it.each(['-', '--', 'N/A', 'none', 'undefined', 'NULL'])('is not the word %s', async (word) => {
    for (const login of [{ username: word }, { username: word, password: word }, { user: word, pass: '' }])
      expect(await read(json({ ...ADDRESS, ...login }))).toEqual([expect.stringContaining('is the word')]);
    expect(await read(csv('ip,port,user,pass', `192.0.2.1,80,${word},${word}`))).toEqual([
      expect.stringContaining('is the word'),
    ]);
    expect(await read(json({ ...ADDRESS, username: word, password: 'p' }))).toEqual([
      { ...PROXY, username: word, password: 'p' },
    ]);
  });

  it.each<object>([
    { auth: LOGIN },
    { auth: 'u:canary' },
    { auth: ['u', 'canary'] },
    { authentication: { user: 'u', pass: 'canary' } },
    { credentials: { login: 'u', password: 'canary' } },
    { proxy_auth: 'u:canary' },
    { userpass: 'u:canary' },
    { login: 'u:canary' },
    { account: 'u', passwd: 'canary' },
    { user: { name: 'u', password: 'canary' } },
    { usr: 'u', pwd: 'canary' },
    { uname: 'u', pw: 'canary' },
    { 'auth.username': 'u', 'auth.password': 'canary' },
    { Benutzername: 'u', Kennwort: 'canary' },
    { Utilisateur: 'u', 'Mot de passe': 'canary' },
    { usuario: 'u', contraseña: 'canary' },
    { usuário: 'u', senha: 'canary' },
    { логин: 'u', пароль: 'canary' },
    { 用户名: 'u', 密码: 'canary' },
    { 账号: 'u', 密码: 'canary' },
    { ユーザー名: 'u', パスワード: 'canary' },
    { 사용자이름: 'u', 비밀번호: 'canary' },
  ])('is read from %j', async (members) => {
    expect(await read(json({ ...ADDRESS, ...members }))).toEqual([{ ...PROXY, ...LOGIN }]);
  });

  it.each<object>([
    { secret: 'canary' },
    { api_key: 'canary' },
    { access_token: 'canary' },
    { auth: 'canary' },
    { auth: 'Basic Y2FuYXJ5' },
    { auth: { a: 'u', b: 'canary' } },
    { auth: { username: 'u', password: 'p', realm: 'canary' } },
    { auth: ['u', 'p', 'canary'] },
    { connection: { details: { user: 'u', pw: 'canary' } } },
    { extra: [{ password: 'canary' }] },
    { username: 'u', geheimes_wort: 'canary' },
    { username: 'u', "Code d'accès": 'canary' },
    { password: 'p', moniker: 'canary' },
    { username: 'u', user: 'canary' },
    { username: 'u:canary' },
    { username: 'None', password: 'None', x: 'canary' },
    { username: 'u', password: { canary: 1 } },
    { proxy: 'http://u:canary@192.0.2.1:80', username: 'u', password: 'p' },
    { 'мой пароль': 'canary' },
    { lösenord: 'canary' },
    { '': 'canary' },
    { ['x'.repeat(65)]: 'canary' },
  ])('rejects the record with %j, without showing it', async (members) => {
    const verdicts = await collect(json({ ...ADDRESS, ...members }));
    expect(verdicts).toMatchObject([{ kind: 'refused' }]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  it('names the member or column that may hold one', async () => {
    expect(await read(json({ ...ADDRESS, api_key: 'x' }))).toEqual([expect.stringContaining('"api_key"')]);
    expect(await read(csv('ip,port,Geheimzahl', '192.0.2.1,80,x'))).toEqual([
      expect.stringContaining('"Geheimzahl"'),
    ]);
  });

  it('is not seen in members that only sound like one', async () => {
    const members = {
      ...{ userAgent: 'Mozilla', bypassList: ['x'], author: 'x', keywords: 'x', authType: 'basic' },
      ...{ requires_auth: true, auth: false, token: null, password: '', passed: 7, user_type: 'x' },
    };
    expect(await read(json({ ...ADDRESS, ...members }))).toEqual([PROXY]);
    expect(await read(json({ ...ADDRESS, ...LOGIN, user_id: 'x' }))).toEqual([{ ...PROXY, ...LOGIN }]);
  });

  it('in a URL and in members is one login if they agree', async () => {
    const proxy = 'socks5://u:canary@192.0.2.1:80';
    expect(await read(json({ proxy, ...LOGIN }))).toEqual([{ ...PROXY, ...LOGIN, protocol: 'socks5' }]);
    expect(await read(json({ proxy: '192.0.2.1:80', ...LOGIN }))).toEqual([{ ...PROXY, ...LOGIN }]);
  });

  it('that has only one part is noted', async () => {
    expect(await notesOf(json({ ...ADDRESS, password: 'p' }))).toEqual([
      'a password stands without a username',
    ]);
    expect(await notesOf(json({ ...ADDRESS, username: 'u' }))).toEqual([
      'a username stands without a password',
    ]);
  });

  it('never becomes a name', async () => {
    const names = ['http://u:canary@h.example:1', '192.0.2.1:80:u:canary', 'u:canary@h.example:80'];
    for (const mark of ['#', '@', '|', ';', ',']) names.push(`192.0.2.1:80${mark}u:canary`);
    for (const member of ['name', 'region']) {
      const verdicts = await collect(json(...names.map((name) => ({ ...ADDRESS, [member]: name }))));
      expect(verdicts).toHaveLength(names.length);
      for (const verdict of verdicts)
        expect(verdict).toMatchObject({
          proxy: PROXY,
          notes: [expect.stringContaining(`the ${member} was left out`)],
        });
      expect(JSON.stringify(verdicts)).not.toContain('canary');
    }
    const name = 'h.example:80#1, DE: Berlin';
    const verdicts = await collect(json({ ...ADDRESS, name }));
    expect(verdicts).toMatchObject([{ proxy: { name }, notes: [] }]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  it('beside a list rejects the list', async () => {
    const verdicts = await collect(JSON.stringify({ ...LOGIN, proxies: ['192.0.2.1:80'] }));
    expect(verdicts).toMatchObject([{ kind: 'refused', text: '***' }]);
  });
});

it('a login under any names, in any order and letters, is nowhere but in the login', async () => {
  const loginNames = [
    ...[
      'username',
      'user',
      'login',
      'account',
      'password',
      'passwd',
      'pwd',
      'secret',
      'api_key',
      'token',
      'auth',
    ],
    ...['credentials', 'proxy_user', 'Passwort', 'clave', 'senha', 'пароль', 'логин', '密码', 'access code'],
  ];
  const value = fc.constantFrom<unknown>('canary', 'canary:canary', ['canary', 'canary'], {
    user: 'canary',
    pass: 'canary',
  });
  const spelled = fc
    .tuple(fc.constantFrom(...loginNames), fc.constantFrom('', ' ', '_x', '-', 'proxy_', 'my'))
    .map(([name, more]) => (more.endsWith('_') || more === 'my' ? more + name : name + more));
  const others = fc.constantFrom<[string, unknown]>(
    ['isp', 'x'],
    ['type', 'socks5'],
    ['https', 'yes'],
    ['latency', 4],
    ['name', 'N'],
    ['proxy', 'http://canary:canary@192.0.2.1:80'],
  );
  const nameless = fc.constantFrom('', ' ', '-', '??');
  const members = fc.array(
    fc.oneof(fc.tuple(fc.oneof({ weight: 9, arbitrary: spelled }, nameless), value), others),
    { maxLength: 5 },
  );
  const kinds = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(members, fc.boolean(), async (each, isCsv) => {
      const entries: [string, unknown][] = [['ip', '192.0.2.1'], ['port', 80], ...each];
      const cells = entries.map(([, cell]) =>
        JSON.stringify(typeof cell === 'object' ? 'canary' : String(cell)),
      );
      const text = isCsv
        ? csv(entries.map(([name]) => `"${name}"`).join(','), cells.join(','))
        : json(Object.fromEntries(entries));
      for (const verdict of await collect(text)) {
        kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1);
        if (verdict.kind !== 'proxy') expect(JSON.stringify(verdict)).not.toContain('canary');
        else {
          const { username = '', password = '', ...rest } = verdict.proxy;
          expect(JSON.stringify([rest, verdict.notes])).not.toContain('canary');
          // Whatever was in the record is in the login, or the record is rejected.
          if (text.includes('canary')) expect(`${username}${password}`).toContain('canary');
          expect(`${username}${password}`).not.toMatch(/:\/\/|@/);
        }
      }
    }),
    { numRuns: 2000 },
  );
  for (const kind of ['proxy', 'refused']) expect([kind, kinds.get(kind) ?? 0]).not.toEqual([kind, 0]);
});

describe('what was not read of a record', () => {
  it('is named, each name once for a proxy, without its value', async () => {
    expect(await notesOf(json({ ...ADDRESS, isp: 'canary', Zähler: 'canary' }))).toEqual([
      'the member "isp" was not read',
      'the member "Zähler" was not read',
    ]);
    expect(await notesOf(csv('ip,port,ISP', '192.0.2.1,80,x', '192.0.2.1,81,'))).toEqual([
      'the column "ISP" was not read',
    ]);
  });

  it('is not named by what may be an address, a login or an instruction to a terminal', async () => {
    const members = { 'http://u:p@h': 'x', 'a:b': 'x', '\u001b[2J': 'x', '\u202Eabc': 'x' };
    expect(new Set(await notesOf(json({ ...ADDRESS, ...members })))).toEqual(
      new Set(['another member was not read']),
    );
  });

  it('has a bound: a hostile list with a new name in each record does not fill memory', async () => {
    const records = Array.from({ length: 5000 }, (_, index) => ({ ...ADDRESS, [`n${index}`]: 1 }));
    expect(new Set(await notesOf(json(...records))).size).toBeLessThan(100);
  });
});

describe('the protocol of a record', () => {
  const socks5 = { ...PROXY, protocol: 'socks5' };
  it.each<[record: object, proxies: object[]]>([
    [
      { proxy: 'socks5://192.0.2.1:80', protocol: 'socks5', ip: '192.0.2.1', port: 80, https: false },
      [socks5],
    ],
    [{ proxy: '192.0.2.1:80', protocol: 'socks5' }, [socks5]],
    [{ ...ADDRESS, proto: 'SOCKS v5' }, [socks5]],
    [{ ...ADDRESS, types: [{ type: 'SOCKS5', level: '' }] }, [socks5]],
    [{ ...ADDRESS, protocols: ['socks5', 'http'] }, [socks5, PROXY]],
    [{ ...ADDRESS, protocols: { socks5: true, http: false } }, [socks5]],
    [{ ...ADDRESS, type: 'HTTP, SOCKS5' }, [PROXY, socks5]],
    [{ ...ADDRESS, type: 'HTTP/HTTPS' }, [PROXY]],
    [{ ...ADDRESS, type: 'residential socks5' }, [socks5]],
    [{ ...ADDRESS, type: 'datacenter', protocol: 'socks5' }, [socks5]],
    [{ ...ADDRESS, type: 'IPv4' }, [PROXY]],
    [{ ...ADDRESS, socks5: '1', http: '0' }, [socks5]],
    [{ ...ADDRESS, socks5: 'yes', http: 'yes' }, [PROXY, socks5]],
    [{ ...ADDRESS, socks: 5 }, [socks5]],
    [{ ...ADDRESS, https: 'yes' }, [PROXY]],
    [{ ...ADDRESS, https: 'yes', protocol: 'socks5' }, [socks5]],
    [{ ...ADDRESS, Протокол: 'SOCKS5' }, [socks5]],
    [{ ...ADDRESS, protocol: 'socks5h' }, [{ ...socks5, remoteDns: true }]],
    [{ ...ADDRESS, protocol: 'socks5', remote_dns: 'true' }, [{ ...socks5, remoteDns: true }]],
    [{ ...ADDRESS, protocol: 'socks5', remoteDns: false }, [{ ...socks5, remoteDns: false }]],
    [{ ...ADDRESS, type: 'http', tls: true }, [{ ...PROXY, protocol: 'https' }]],
  ])('of %j is read', async (record, proxies) => {
    expect(await read(json(record))).toEqual(proxies);
  });

  it.each<object>([
    { proxy: 'socks5://192.0.2.1:80', protocol: 'http' },
    { proxy: 'http://192.0.2.1:80', protocol: 'https' },
    { ...ADDRESS, protocol: 'socks5', type: 'http' },
    { ...ADDRESS, protocol: 'http', socks5: '1' },
    { ...ADDRESS, type: 3 },
    { ...ADDRESS, protocols: [{ type: 5 }] },
    { ...ADDRESS, type: 'vmess' },
    { ...ADDRESS, type: 'unheard-of' },
    { ...ADDRESS, socks: true },
    { ...ADDRESS, http: 'no', https: 'yes' },
    { ...ADDRESS, kind: 'SOCKS5' },
    { ...ADDRESS, kinds: ['socks4'] },
    { ...ADDRESS, use_socks_proxy: true },
    { ...ADDRESS, protocol: 'socks5h', remoteDns: false },
    { ...ADDRESS, protocol: 'socks5', remoteDns: 'perhaps' },
  ])('of %j is rejected', async (record) => {
    expect(await collect(json(record))).toMatchObject([{ kind: 'refused' }]);
  });

  it('is http if nothing names one, and with strictProtocol nothing', async () => {
    expect(await read(json(ADDRESS))).toEqual([PROXY]);
    expect(await read(json(ADDRESS), { protocol: 'socks4' })).toEqual([{ ...PROXY, protocol: 'socks4' }]);
    const strict = await read(json(ADDRESS, { ...ADDRESS, type: 'elite' }, { ...ADDRESS, type: 'http' }), {
      strictProtocol: true,
    });
    expect(strict).toEqual([
      expect.stringContaining('no protocol'),
      expect.stringContaining('no protocol'),
      PROXY,
    ]);
  });
});

describe('the URL that changes the exit address', () => {
  it.each([
    'rotateUrl',
    'rotate_url',
    'change_ip_url',
    'changeIpLink',
    'reset_url',
    'refresh_url',
    'rotation link',
  ])('is read from %s', async (name) => {
    const url = 'https://provider.example/change?key=canary';
    expect(await read(json({ ...ADDRESS, [name]: url }))).toEqual([{ ...PROXY, rotateUrl: url }]);
    const verdicts = await collect(json({ ...ADDRESS, [name]: 'canary' }));
    expect(verdicts).toMatchObject([{ kind: 'refused', reason: expect.stringContaining('change-IP URL') }]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });
});

describe('a response time', () => {
  it.each<[member: object, latency: number | undefined]>([
    [{ response_time: 1.22 }, 1220],
    [{ timeout: 0.18 }, 180],
    [{ avg_resp_time: 0.4 }, 400],
    [{ delay: 350 }, 350],
    [{ responseTime: 1200.4 }, 1200],
    [{ latency: 5 }, 5],
    [{ latency: '117.2' }, 117],
    [{ latency_ms: 3.2 }, 3],
    [{ latency: 3, latency_ms: 300 }, 300],
    [{ latency_ms: 300, latency: 3 }, 300],
    [{ 'Latency (ms)': '12' }, 12],
    [{ response_time_s: 2 }, 2000],
    [{ 'response time, seconds': '2' }, 2000],
    [{ timeout: '1.2 s' }, 1200],
    [{ ping: '350ms' }, 350],
    [{ delay: '1,2 sec' }, 1200],
    [{ response_time: 5 }, undefined],
    [{ timeout: 45 }, undefined],
    [{ latency: 4.66 }, undefined],
    [{ delay: '1,200 ms' }, undefined],
    [{ delay: '3 bananas' }, undefined],
    [{ delay: 'fast' }, undefined],
    [{ timeouts: 3 }, undefined],
    [{ speed: 120 }, undefined],
  ])('of %j is %s milliseconds', async (member, latency) => {
    const [verdict] = await collect(json({ ...ADDRESS, ...member }));
    expect(verdict).toMatchObject({ kind: 'proxy', proxy: PROXY });
    if (verdict?.kind !== 'proxy') return;
    expect(verdict.proxy.latency).toBe(latency);
    expect(verdict.notes.length).toBe(latency === undefined ? 1 : 0);
  });
});

describe('a text in a JSON document', () => {
  it('that may be a proxy, under a name that is no list, is rejected by its name', async () => {
    const backup = 'http://u:canary@192.0.2.2:80';
    const verdicts = await collect(
      JSON.stringify({ proxies: ['192.0.2.1:80'], backup, a: { spare: '192.0.2.3:80' } }),
    );
    expect(verdicts).toMatchObject([
      { kind: 'proxy' },
      { kind: 'refused', reason: expect.stringContaining('"backup"') },
      { kind: 'refused', reason: expect.stringContaining('"spare"') },
    ]);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
    const page = {
      proxies: ['192.0.2.1:80'],
      next: 'https://api.example/?page=2',
      updated: '12:30',
      total: '1',
    };
    expect(await read(JSON.stringify(page))).toEqual([PROXY]);
  });
});

describe('where a record says that the proxy is', () => {
  it('in an object without a login, a login beside it may be that of an account', async () => {
    for (const login of [
      { login: 'me@mail.example', password: 'canary' },
      { auth: LOGIN },
      { password: 7 },
    ]) {
      const reasons = await read(json({ ...login, proxy: ADDRESS }));
      expect(reasons).toEqual([expect.stringContaining('stands beside the proxy')]);
    }
    expect(await read(json({ username: '', password: null, auth: false, proxy: ADDRESS }))).toEqual([PROXY]);
    expect(await read(json({ ...LOGIN, address: ADDRESS }))).toEqual([{ ...PROXY, ...LOGIN }]);
    expect(await read(json({ ...LOGIN, proxy: { ...ADDRESS, ...LOGIN } }))).toEqual([{ ...PROXY, ...LOGIN }]);
  });

  it('twice, in names or columns, is rejected', async () => {
    const twice = '"host":"192.0.2.1","port":80,"password":"a","password":"canary"';
    expect(await read(`[{${twice}}]`)).toEqual([expect.stringContaining('twice')]);
    expect(await read(`{"a":1}\n{${twice}}\n`)).toContainEqual(expect.stringContaining('twice'));
    expect(await read(`[{"proxy":{${twice}}}]`)).toEqual([expect.stringContaining('twice')]);
    const name = 'a":"b": {"c" :';
    expect(await read(json({ ...ADDRESS, name }))).toEqual([{ ...PROXY, name }]);
    expect(await read(csv('proxy,proxy', '192.0.2.1:80,192.0.2.2:80'))).toEqual([
      expect.stringContaining('two different urls'),
    ]);
  });

  it('beside the exit address is the entry point', async () => {
    const dc = { ...PROXY, host: 'dc.example', port: 8001 };
    expect(await read(json({ ip: '192.0.2.1', port: '8001', entryPoint: 'dc.example' }))).toEqual([dc]);
    expect(await read(csv('Port,Assigned IP,Entry point', '8001,192.0.2.1,dc.example:8001'))).toEqual([dc]);
  });

  it.each<[record: object, proxy: object]>([
    [
      { proxy: { host: '192.0.2.1', port: 80, username: 'u', password: 'canary' }, name: 'N' },
      { ...LOGIN, name: 'N' },
    ],
    [{ server: 'http://192.0.2.1', port: '80' }, {}],
    [{ server: 'http://192.0.2.1:80', ...LOGIN }, LOGIN],
    [{ address: '192.0.2.1:80', port: 80 }, {}],
    [{ url: 'https://provider.example/proxies/7', ...ADDRESS }, {}],
    [{ хост: '192.0.2.1', порт: 80 }, {}],
    [{ 主机: '192.0.2.1', 端口: '80' }, {}],
    [{ Servidor: '192.0.2.1', Puerto: '80' }, {}],
    [{ Adresse: '192.0.2.1', Port: '80', Land: 'DE' }, { geolocation: { country: 'DE' } }],
    [{ ...ADDRESS, Code: 'US', Country: 'United States' }, { geolocation: { country: 'US' } }],
  ])('in %j is read', async (record, rest) => {
    expect(await read(json(record))).toEqual([{ ...PROXY, ...rest }]);
  });

  it.each<object>([
    { proxy: 'http://192.0.2.9:80', ...ADDRESS },
    { proxy: 'http://192.0.2.1:81', ...ADDRESS },
    { server: 'http://192.0.2.1:81', port: 80 },
    { ...ADDRESS, server_port: 81 },
    { url: 'https://u:p@provider.example/proxies/7', ...ADDRESS },
  ])('twice, as in %j, is rejected', async (record) => {
    expect(await collect(json(record))).toMatchObject([{ kind: 'refused' }]);
  });
});

describe('the header of a CSV', () => {
  it.each<[text: string]>([
    [csv('sep=;', 'host;port;user;pass', '192.0.2.1;80;u;canary')],
    [csv('\uFEFF"sep=|"', 'host|port|user|pass', '192.0.2.1|80|u|canary')],
    [csv('# a comment', '', 'pass,user,port,host', 'canary,u,80,192.0.2.1')],
    [csv('# pass,user,port,host', 'canary,u,80,192.0.2.1')],
    [csv('#,pass,user,port,host', '1,canary,u,80,192.0.2.1')],
    [csv(';host;port;user;pass', ';192.0.2.1;80;u;canary')],
    [csv(' host , port , user , pass ', ' 192.0.2.1 , 80 , u , canary ')],
    [csv('"host","port","user","pass"', '"192.0.2.1","80","u","canary"')],
    [csv('host,port,user,pass', '192.0.2.1,80,u,canary,,')],
    [csv('host\tport\tuser\tpass', '192.0.2.1\t80\tu\tcanary')],
    [csv('IP,Port,Benutzername,Passwort', '192.0.2.1,80,u,canary', 'IP,Port,Benutzername,Passwort')],
    [csv('IP:Port,Login:Password', '192.0.2.1:80,u:canary')],
    [csv('| Pass | User | Port | IP |', '|---|:---:|---|---|', '| canary | u | 80 | 192.0.2.1 |')],
    [csv('PASS    USER  IP         PORT', 'canary  u     192.0.2.1  80')],
  ])('of %j is found', async (text) => {
    expect(await read(text)).toEqual([{ ...PROXY, ...LOGIN }]);
  });

  it('is found after a banner, which is rejected line by line', async () => {
    const text = csv(
      'Our proxies, fresh every day',
      'Updated: today',
      '',
      'pass;user;port;ip',
      'canary;u;80;192.0.2.1',
    );
    const verdicts = await collect(text);
    expect(verdicts.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'blank', 'comment', 'proxy']);
    expect(verdicts.at(-1)).toMatchObject({ line: 5, proxy: { ...PROXY, ...LOGIN } });
  });

  it('without a host rejects each row and says so', async () => {
    expect(await read(csv('Maschine,Port,User,Pass', '192.0.2.1,80,u,p', '192.0.2.2,80,u,p'))).toEqual([
      expect.stringContaining('host'),
      expect.stringContaining('host'),
    ]);
  });

  it('that names a column twice rejects rows in which the two differ', async () => {
    expect(await read(csv('ip,port,user,user', '192.0.2.1,80,u,v'))).toEqual([
      expect.stringContaining('username'),
    ]);
    expect(await read(csv('ip,port,ip,port', '192.0.2.1,80,192.0.2.2,80'))).toEqual([
      expect.stringContaining('host'),
    ]);
  });

  it('leaves quoted blanks to the password, and trims others', async () => {
    const text = csv('ip,port,user,pass', '192.0.2.1,80, u ," p "', '192.0.2.1,80,u,\u00a0p ');
    expect(await read(text)).toEqual([
      { ...PROXY, username: 'u', password: ' p ' },
      { ...PROXY, username: 'u', password: 'p' },
    ]);
  });

  it('between blanks rejects rows with an empty column', async () => {
    const verdicts = await collect(csv('IP PORT USER PASS COUNTRY', '192.0.2.1 80 canary DE'));
    expect(verdicts.map(({ kind }) => kind)).toEqual(['comment', 'refused']);
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  it('that has no name for a column of logins rejects the row', async () => {
    expect(await collect(csv('ip,port,,', '192.0.2.1,80,u,canary'))).toMatchObject([
      { kind: 'comment' },
      { kind: 'refused' },
    ]);
  });

  it('does not care how the text is cut', async () => {
    const text = csv('# c', 'sep=;', 'ip;port;user', '192.0.2.1;80;u', ';x;');
    const whole = await collect(text);
    const characters = function* (): Generator<string> {
      yield* text;
    };
    expect(await collect(characters())).toEqual(whole);
  });
});

describe('JSON documents', () => {
  const socks5 = { ...PROXY, protocol: 'socks5' };
  it.each<[document: unknown, proxies: object[]]>([
    [{ http: ['192.0.2.1:80'], socks5: ['192.0.2.1:80'] }, [PROXY, socks5]],
    [{ data: { socks5_proxies: ['192.0.2.1:80'], httpProxies: [ADDRESS] } }, [socks5, PROXY]],
    [{ eliteSocks5: [{ ...ADDRESS }] }, [socks5]],
    [{ protocol: 'socks5', proxies: ['192.0.2.1:80'] }, [socks5]],
    [{ proxies: ['192.0.2.1:80'], protocol: 'socks5' }, [socks5]],
    [{ http: 'http://192.0.2.1:80', https: 'http://192.0.2.1:80' }, [PROXY, PROXY]],
    [{ proxies: '192.0.2.1:80\nsocks5://192.0.2.1:80' }, [PROXY, socks5]],
    [
      ['http://192.0.2.1:80', 'socks5://192.0.2.1:80'],
      [PROXY, socks5],
    ],
    [
      [
        ['192.0.2.1', 80],
        ['192.0.2.1', '80', 'u', 'canary'],
      ],
      [PROXY, { ...PROXY, ...LOGIN }],
    ],
    [
      [
        ['ip', 'port', 'password', 'username'],
        ['192.0.2.1', 80, 'canary', 'u'],
      ],
      [{ ...PROXY, ...LOGIN }],
    ],
    [
      { columns: ['ip', 'port', 'password', 'user'], data: [['192.0.2.1', 80, 'canary', 'u']] },
      [{ ...PROXY, ...LOGIN }],
    ],
    [[['192.0.2.1:80', 'socks5://192.0.2.1:80']], [PROXY, socks5]],
    [{ '192.0.2.1:80': { protocol: 'socks5' }, '192.0.2.1': { port: 80 } }, [socks5, PROXY]],
    [{ '192.0.2.1:80': 'socks5' }, [socks5]],
    [{ a1: { ...ADDRESS }, a2: { ...ADDRESS, ...LOGIN } }, [PROXY, { ...PROXY, ...LOGIN }]],
    [[{ country: 'DE', proxies: ['192.0.2.1:80'] }], [PROXY]],
    [{ count: 2, a: [ADDRESS], b: { c: [{ ...ADDRESS, type: 'socks5' }] }, next: null }, [PROXY, socks5]],
    [{ ...ADDRESS, ...LOGIN }, [{ ...PROXY, ...LOGIN }]],
  ])('%j is read', async (document, proxies) => {
    for (const space of [0, 2]) expect(await read(JSON.stringify(document, null, space))).toEqual(proxies);
  });

  it('are looked at to their end: each list and record has a verdict', async () => {
    const lists = { a: [ADDRESS], b: [{ x: 1 }], c: { d: { port: 1 } } };
    expect((await collect(JSON.stringify(lists))).map(({ kind }) => kind)).toEqual([
      'proxy',
      'refused',
      'refused',
    ]);
    expect((await collect(`${json(ADDRESS)} and so on`)).map(({ kind }) => kind)).toEqual([
      'proxy',
      'refused',
    ]);
    expect(await read('[{"ip":"192.0.2.1","port":80}]\n[{"ip":"192.0.2.1","port":81}]')).toEqual([
      PROXY,
      { ...PROXY, port: 81 },
    ]);
    expect(await read('{"data":[{"ip":"192.0.2.1","port":80},],}')).toEqual([PROXY]);
  });

  it('that are cut off give what is whole, and say so', async () => {
    const verdicts = await collect('{"data":{"list":[\n{"ip":"192.0.2.1","port":80},\n{"ip":');
    expect(verdicts).toMatchObject([
      { kind: 'proxy', line: 2 },
      { code: 'truncated', line: 3 },
    ]);
  });

  it('of any size are read in pieces, with the place of each record', async () => {
    const record = (port: number): object => ({ ip: '192.0.2.1', port, isp: 'x'.repeat(50) });
    const big = {
      meta: { a: 1 },
      data: { socks5: Array.from({ length: 3000 }, (_, index) => record(index + 1)) },
    };
    const text = JSON.stringify(big, null, 1);
    expect(text.length).toBeGreaterThan(200_000);
    const verdicts = await collect(text);
    expect(verdicts).toHaveLength(3000);
    expect(verdicts[2999]).toMatchObject({
      line: text.split('\n').length - 7,
      proxy: { ...socks5, port: 3000 },
    });
    const bytes = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 777) }, (_, n) =>
      bytes.subarray(n * 777, n * 777 + 777),
    );
    expect(await collect(pieces)).toEqual(verdicts);
  });

  it('with a protocol after a list that was too long to wait for say so', async () => {
    const proxies = Array.from({ length: 10_000 }, () => '192.0.2.1:80');
    const verdicts = await collect(JSON.stringify({ proxies, protocol: 'socks5' }));
    expect(verdicts.at(-1)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('protocol') });
  });
});

it('a record that is nested without end is rejected or read, and exhausts nothing', async () => {
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
  const deepObject = `${'{"auth":'.repeat(5000)}1${'}'.repeat(5000)}`;
  const names = [
    ...['host', 'ip', 'port', 'url', 'protocol', 'types', 'username', 'password', 'auth', 'account', 'name'],
    ...[
      'country',
      'geo',
      'asn',
      'latency',
      'timeout',
      'tls',
      'socks',
      'http',
      'remoteDns',
      'rotateUrl',
      'proxyDNS',
    ],
    ...['x', 'secret', '', 'proxy', 'status', 'fallbackProxy', 'profileType'],
  ];
  for (const name of names)
    for (const value of [deep, deepObject, `{"a":${deep}}`])
      for (const rest of [
        '"host":"h.example","port":1',
        '"profileType":"FixedProfile","fallbackProxy":{"host":"h.example"}',
      ]) {
        const verdicts = await collect(`[{${rest},"${name}":${value}}]`);
        expect([name, verdicts.length > 0]).toEqual([name, true]);
      }
});

describe('exports of other tools', () => {
  const proxy = { ...PROXY, ...LOGIN, protocol: 'socks5', name: 'N' };
  const patterns = { whitePatterns: [{ title: 'all', pattern: '*', type: 1 }], blackPatterns: [] };
  const old = { title: 'N', type: 3, address: '192.0.2.1', port: 80, ...LOGIN, ...patterns };

  it('FoxyProxy 8', async () => {
    const entry = {
      ...{ active: true, title: 'N', type: 'socks5', hostname: '192.0.2.1', port: '80', ...LOGIN, cc: 'US' },
      ...{
        color: '#f00',
        pac: '',
        proxyDNS: true,
        include: [{ type: 'wildcard', pattern: '*' }],
        exclude: [],
      },
    };
    const settings = { mode: 'disable', sync: false, container: {}, commands: { setProxy: '' } };
    expect(await read(JSON.stringify({ ...settings, data: [entry, { ...entry, type: 'direct' }] }))).toEqual([
      { ...proxy, geolocation: { country: 'US' }, remoteDns: true },
      expect.stringContaining('direct is not supported'),
    ]);
  });

  it('FoxyProxy 7, as a list and by id: its numbers are protocols, and its default is a setting', async () => {
    const standard = { type: 5, title: 'Default', ...patterns };
    const list = JSON.stringify({ mode: 'patterns', proxySettings: [old, standard], logging: { size: 9 } });
    const byId = JSON.stringify({ mode: 'patterns', k1: old, lastresort: standard, logging: { size: 9 } });
    for (const text of [list, byId]) {
      expect(await read(text)).toEqual([proxy]);
      expect((await collect(text)).map(({ kind }) => kind)).toEqual(['proxy', 'comment']);
    }
    expect(await read(json({ ...old, type: 9 }))).toEqual([expect.stringContaining('FoxyProxy')]);
  });

  it('FoxyProxy proxyDNS: false is a note', async () => {
    const text = json({ ...old, proxyDNS: false });
    expect(await read(text)).toEqual([proxy]);
    expect(await notesOf(text)).toContainEqual(expect.stringContaining('proxyDNS'));
  });

  it('SwitchyOmega: fixed profiles with their logins; the others are settings, or named', async () => {
    const server = { scheme: 'socks5', host: '192.0.2.1', port: 80 };
    const backup = {
      '+N': {
        ...{ profileType: 'FixedProfile', name: 'N', color: '#1', bypassList: [{ pattern: '<local>' }] },
        ...{ fallbackProxy: server, auth: { fallbackProxy: LOGIN } },
      },
      '+M': {
        profileType: 'FixedProfile',
        name: 'M',
        fallbackProxy: server,
        proxyForHttp: { ...server, scheme: 'http' },
      },
      '+auto': { profileType: 'SwitchProfile', name: 'auto', rules: [{ profileName: 'N' }] },
      '+pac': { profileType: 'PacProfile', name: 'pac', pacScript: 'canary' },
      '-startupProfileName': 'N',
      schemaVersion: 2,
    };
    expect(await read(JSON.stringify(backup, null, 2))).toEqual([
      proxy,
      { ...PROXY, protocol: 'socks5', name: 'M' },
      { ...PROXY, name: 'M' },
      expect.stringContaining('SwitchyOmega'),
    ]);
  });

  it('AdsPower and other antidetect browsers', async () => {
    const proxy_url = 'https://provider.example/change?key=1';
    const config = {
      ...{ proxy_soft: 'other', proxy_type: 'socks5', proxy_host: '192.0.2.1', proxy_port: '80' },
      ...{ proxy_user: 'u', proxy_password: 'canary', proxy_url },
    };
    expect(await read(json({ name: 'N', user_id: 'x', user_proxy_config: config }))).toEqual([
      { ...proxy, rotateUrl: proxy_url },
    ]);
    // The login of a profile is that of a website.
    const profile = { username: 'canary-site', password: 'canary-site', remark: 'R' };
    expect(await read(json({ name: 'N', ...profile, user_proxy_config: config }))).toEqual([
      { ...proxy, rotateUrl: proxy_url },
    ]);
    const open = { ...config, proxy_user: '', proxy_password: '' };
    expect(await read(json({ ...profile, user_proxy_config: open }))).toEqual([
      { ...PROXY, protocol: 'socks5', name: 'R', rotateUrl: proxy_url },
    ]);
    const goLogin = {
      name: 'N',
      os: 'win',
      proxy: { mode: 'socks5', host: '192.0.2.1', port: 80, ...LOGIN },
    };
    expect(await read(json(goLogin))).toEqual([proxy]);
  });
});
