import { describe, expect, it } from 'vitest';
import { formatProxyUrl, type ListedProxy, ListFormatter, MASK } from '../../../src/lists/index.ts';
import { collect, proxiesOf } from '../../support/verdicts.ts';

const PROXY: ListedProxy = {
  protocol: 'socks5',
  host: '2001:db8::1',
  port: 1080,
  username: 'u@{session}',
  password: 'p:/ü',
  name: 'Zoë, "x"',
  region: '=EU',
  latency: 12,
  status: 'disabled',
  remoteDns: false,
  rotateUrl: 'https://r.example/?a=1',
  geolocation: {
    country: 'DE',
    city: 'B',
    region: 'BE',
    latitude: 52.5,
    longitude: -13.4,
    asn: 64_496,
    timezone: 'Europe/Berlin',
  },
};
const PLAIN: ListedProxy = { protocol: 'http', host: 'h.example', port: 1 };

function write(proxies: readonly ListedProxy[], options: ConstructorParameters<typeof ListFormatter>[0]) {
  const formatter = new ListFormatter(options);
  const written = proxies.map((proxy) => formatter.write(proxy));
  const text = written.map((each) => ('text' in each ? each.text : '')).join('');
  return { text: formatter.begin() + text + formatter.end(), written };
}

describe('a proxy is written', () => {
  it.each([
    [{}, 'http://h.example:1'],
    [{ username: 'u', password: 'p' }, 'http://u:p@h.example:1'],
    [{ username: 'u', password: '' }, 'http://u:@h.example:1'],
    [{ username: '', password: 'p' }, 'http://:p@h.example:1'],
    [{ username: 'ü@', password: ':/' }, 'http://%C3%BC%40:%3A%2F@h.example:1'],
    [{ host: '2001:db8::1' }, 'http://[2001:db8::1]:1'],
    [{ protocol: 'socks5' }, 'socks5h://h.example:1'],
    [{ protocol: 'socks4' }, 'socks4a://h.example:1'],
    [{ protocol: 'socks5', remoteDns: false }, 'socks5://h.example:1'],
    [{ protocol: 'socks4', remoteDns: false }, 'socks4://h.example:1'],
    [{ protocol: 'https', remoteDns: true }, 'https://h.example:1'],
  ] as const)('with %j as the URL %s, whose login is masked unless it is revealed', (fields, url) => {
    const proxy = { ...PLAIN, ...fields };
    expect(formatProxyUrl(proxy, { reveal: true })).toBe(url);
    const masked = url.replace(/\/\/[^@]*@/, `//${MASK}:${MASK}@`);
    for (const options of [undefined, {}, { reveal: false }, { reveal: undefined }])
      expect(formatProxyUrl(proxy, options)).toBe(masked);
  });

  it('in each format with all that it carries, and what is lost is said', () => {
    const login = { reveal: true };
    const url = 'socks5://u%40%7Bsession%7D:p%3A%2F%C3%BC@[2001:db8::1]:1080#Zo%C3%AB%2C%20%22x%22';
    expect(write([PROXY, PLAIN], login)).toEqual({
      text: `${url}\nhttp://h.example:1\n`,
      written: [
        { text: url, lost: ['rotateUrl', 'remoteDns'] },
        { text: '\nhttp://h.example:1', lost: [] },
      ],
    });
    expect(write([PROXY], { ...login, format: 'template' }).text).toBe(
      `${url.replace('%7Bsession%7D', '{session}')}\n`,
    );
    expect(write([PLAIN, { ...PLAIN, protocol: 'https' }], { format: 'colon' }).text).toBe(
      'h.example:1\nhttps://h.example:1\n',
    );
    const colon = { ...PROXY, username: 'u', password: 'p' };
    expect(write([colon], { ...login, format: 'colon' }).text).toBe('socks5://[2001:db8::1]:1080:u:p\n');
    const layout = (text: string) => write([colon], { ...login, format: 'template', layout: text }).text;
    expect(layout('{protocol}://{username}:{password}@{host}:{port}')).toBe(
      'socks5://u:p@[2001:db8::1]:1080\n',
    );
    expect(layout('socks5://{host}:{port}:{username}:{password}')).toBe('socks5://[2001:db8::1]:1080:u:p\n');
    expect(
      write([{ ...PLAIN, username: 'a@b', password: '{ttl}' }], {
        ...login,
        format: 'template',
        layout: '{protocol}://{username}:{password}@{host}:{port}',
      }).text,
    ).toBe('http://a%40b:{ttl}@h.example:1\n');
  });

  it.each(['csv', 'json'] as const)(
    'as %s with every field, and comes back with every field',
    async (format) => {
      const { text, written } = write([PROXY, PLAIN], { format, reveal: true });
      expect(written).toMatchObject([{ lost: [] }, { lost: [] }]);
      expect(proxiesOf(await collect(text))).toEqual([PROXY, PLAIN]);
      const { text: masked } = write([PROXY], { format });
      for (const secret of ['u@', 'p:/', 'r.example']) expect(masked).not.toContain(secret);
      expect(masked.split(MASK)).toHaveLength(4);
    },
  );

  it('as CSV without a cell that a spreadsheet runs, quoted where a reader would cut it', () => {
    const [, row = ''] = write(
      [{ ...PLAIN, name: '=1+1', region: 'a;@b', username: 'x"y', password: ' -p,' }],
      { format: 'csv', reveal: true },
    ).text.split('\n');
    expect(row).toBe(`http,h.example,1,"x""y","' -p,",'=1+1,a;'@b,,,,,,,,,,,,,,yes`);
  });

  it('not at all if it would come back as another: then it is said why', () => {
    const colon = (proxy: Partial<ListedProxy>) =>
      write([{ ...PLAIN, ...proxy }], { format: 'colon', reveal: true }).written[0];
    expect(colon({ username: 'a:b', password: 'c' })).toMatchObject({
      leftOut: expect.stringContaining('an import would'),
    });
    expect(colon({ username: 'a b', password: 'c' })).toMatchObject({
      leftOut: expect.stringContaining('an import would refuse it'),
    });
    expect(colon({ username: 'a', password: 'c' })).toMatchObject({ text: 'h.example:1:a:c' });
    const layout = (text: string, proxy: ListedProxy) =>
      write([proxy], { format: 'template', layout: text, reveal: true }).written[0];
    expect(layout('# {host}:{port}', PLAIN)).toEqual({ leftOut: 'an import would take it for a comment' });
    expect(layout('{host}:1{port}', PLAIN)).toEqual({ leftOut: 'an import would read another proxy' });
    expect(layout('socks5://{host}:{port}', { ...PLAIN, protocol: 'socks5', remoteDns: true })).toEqual({
      text: 'socks5://h.example:1',
      lost: ['remoteDns'],
    });
  });

  it('as an empty list that is one', () => {
    expect(write([], {}).text).toBe('');
    expect(write([], { format: 'json' }).text).toBe('[\n\n]\n');
    expect(write([], { format: 'csv' }).text).toMatch(/^protocol,host,[a-z_,]+,escaped\n\n$/);
    expect(() => new ListFormatter({ format: 'xml' as never })).toThrow(
      'format must be one of urls, colon, csv, json, template.',
    );
  });
});
