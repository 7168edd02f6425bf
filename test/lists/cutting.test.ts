import { describe, expect, it } from 'vitest';
import type { ParseOptions } from '../../src/lists/index.ts';
import { collect, kindsOf } from '../support/verdicts.ts';

/** A list of each format, with blank lines, comments, rejections, and characters of several bytes. */
const LISTS: Readonly<
  Record<string, { text: string; options?: ParseOptions; kinds: string; lines: string; beginning?: number }>
> = {
  text: {
    options: { format: 'text' },
    text: '# SOCKS5\n\nh.example:1:ü:pä\n  h.example:0\n[2001:db8::1]:2 # note\nhttp://u:p%40@h.example:3#Zoë\nh.example:4',
    kinds: 'comment blank proxy bad-port proxy proxy proxy',
    lines: '1 2 3 4 5 6 7',
  },
  csv: {
    text: '# note\nip;port;user;pass\n192.0.2.1;80;u;"p;""ü"\n\n192.0.2.1;0;;\nsocks5:\n192.0.2.2;81;;\n',
    kinds: 'comment comment proxy blank bad-port comment proxy',
    lines: '1 2 3 4 5 6 7',
  },
  json: {
    text: '{\n "socks5": [\n  {"host": "h.example", "port": 1, "name": "a\\"]},ü"},\n  "h.example:0", ["192.0.2.1", 2]\n ]\n}\n',
    kinds: 'proxy bad-port proxy',
    lines: '3 4 4',
  },
  'json lines': {
    text: '{"host":"h.example","port":1}\n\n "h.example:2"\n{"host":"ü"\n{"host":"h.example","port":0}',
    kinds: 'proxy blank proxy bad-record bad-port',
    lines: '1 2 3 4 5',
  },
  clash: {
    beginning: 1,
    text: "proxies:\n  - name: 'ü: [x'\n    type: http\n\n    server: h.example\n    # note\n    port: 1\n  - {name: b, type: socks5, server: h.example, port: 0}\n  - 192.0.2.1:2\nrules:\n  - MATCH,b\n",
    kinds: 'comment blank comment proxy bad-port proxy comment comment',
    lines: '1 4 6 2 8 9 10 11',
  },
  'clash in brackets': {
    beginning: 1,
    text: 'proxies: [{name: "a]", type: http, server: h.example, port: 1}, # note ]\n  {name: it\'s, type: socks5,\n  server: h.example, port: 0}, http://u:p@h.example:3] # end\nmode: rule\n',
    kinds: 'proxy bad-port proxy comment',
    lines: '1 2 3 4',
  },
  proxychains: {
    text: 'strict_chain\n\n[ProxyList]\nsocks4 192.0.2.1 9050\nsocks5 h.example 1080 u pä\nhttp h.example 0\n# end',
    kinds: 'comment blank comment proxy proxy bad-port comment',
    lines: '1 2 3 4 5 6 7',
  },
  proxifier: {
    beginning: 1,
    text: '<?xml version="1.0"?>\n<ProxifierProfile>\n<!-- <a> -\n -- > -->\n<Options><Encryption mode="disabled"/></Options><ProxyList>\n<Proxy type="SOCKS5"><Address>h.example</Address>\n<Port>1</Port><Authentication enabled="true"><Username>u&amp;ü</Username><Password>p&lt;</Password></Authentication></Proxy>\n<Proxy type=\'HTTPS\'><Address>h.example</Address><Port>0</Port></Proxy></ProxyList></ProxifierProfile>\n',
    kinds: 'proxy bad-port',
    lines: '6 8',
  },
};

/** More than is looked at to detect the format, so that what follows is read as it comes. */
const BLANK_LINES = `${' '.repeat(8000)}\n`.repeat(9);

/** A list in which blank lines follow the first ones: its long beginning, and what comes then. */
function lengthened(text: string, lines: number): [beginning: string, rest: string] {
  const end = text.split('\n', lines).join('\n').length + 1;
  return [text.slice(0, end) + BLANK_LINES, text.slice(end)];
}

describe.each(Object.entries(LISTS))('a list as %s', (_, { text, options: asked, ...expected }) => {
  const { kinds, lines, beginning = 3 } = expected;

  it('has all kinds of verdicts, each with its line', async () => {
    const verdicts = await collect(text, asked);
    expect(kindsOf(verdicts).join(' ')).toBe(kinds);
    expect(verdicts.map(({ line }) => line).join(' ')).toBe(lines);
  });

  it('is read the same character by character after a long beginning', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const [first, rest] = lengthened(text, beginning).map((part) => part.replaceAll('\n', end));
      const pieces = [first ?? '', ...[...(rest ?? '')].flatMap((character) => [character, ''])];
      expect({ end, verdicts: await collect(pieces.values(), asked) }).toEqual({
        end,
        verdicts: await collect(`${first}${rest}`, asked),
      });
    }
  });

  it('is read the same wherever its text is cut, with its lines and columns', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const list = text.replaceAll('\n', end);
      const whole = await collect(list, asked);
      expect(kindsOf(whole).join(' ')).toBe(kinds);
      for (let at = 0; at <= list.length; at++) {
        const pieces = [list.slice(0, at), '', list.slice(at)].values();
        expect({ end, at, verdicts: await collect(pieces, asked) }).toEqual({ end, at, verdicts: whole });
      }
      expect(await collect([...list].values(), asked)).toEqual(whole);
    }
  });

  it('is read the same byte by byte, in UTF-8 and both orders of UTF-16', async () => {
    const whole = await collect(text, asked);
    const little = Buffer.from(`\uFEFF${text}`, 'utf16le');
    for (const bytes of [
      Buffer.from(text),
      Buffer.from(`\uFEFF${text}`),
      little,
      Buffer.from(little).swap16(),
    ])
      expect(
        await collect(
          Array.from(bytes, (byte) => Uint8Array.of(byte)),
          asked,
        ),
      ).toEqual(whole);
  });
});
