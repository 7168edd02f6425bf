import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowSplitter } from '../../../../src/lists/readers/clash/flow-elements.ts';
import { readSimpleEntry, readSimpleMapping } from '../../../../src/lists/readers/clash/simple-entry.ts';
import { parseEntry } from '../../../../src/lists/readers/clash/yaml-entry.ts';
import type { Element } from '../../../../src/lists/readers/json/elements.ts';

/** In the suite 5,000. `PROXYVAULT_MUTATIONS=1000000 npm test -- test/lists/simple-entry` for a longer run. */
const numRuns = Number(process.env.PROXYVAULT_MUTATIONS ?? 5000);
const timeout = 60_000 + numRuns;

const NAMES = ['name', 'type', 'server', 'port', 'username', 'password', 'null', 'ws-opts', 'a_b', 'x'];
const VALUES = [
  'a',
  '1080',
  '0123',
  '~',
  'null',
  'Null',
  '192.0.2.1',
  'true',
  'p#1',
  'a:b',
  'US 1',
  '\u{1F1FA}\u{1F1F8} x',
  'it.s',
];
const CHARACTERS = [
  ...' abcXYZ09_-.:,#{}[]"\'\\!&*|>%@`~?=/+$()<;\t\n\r\0\x7f\u0085\u00a0\u200b\u2028\u2029\u3000\ufeff\ud800é',
  ...[
    ': ',
    ' #',
    '- ',
    '  ',
    '---',
    '...',
    '<<',
    '\n    ',
    '\n  - ',
    '""',
    "''",
    '\\n',
    '\\"',
    '\\/',
    '\\\\',
    '\\u00e9',
    '\\ud83c\\udde6',
    '\\U0001F1FA',
    '\\U00110000',
    '\u{1F600}',
  ],
];

const words = fc
  .array(fc.constantFrom(...CHARACTERS, ...VALUES), { maxLength: 4 })
  .map((all) => all.join(''));
const tame = words.map((text) => text.replace(/[^\w.#:/ -]/g, ''));
const scalar = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 2, arbitrary: tame },
  { weight: 1, arbitrary: words },
  { weight: 2, arbitrary: fc.oneof(tame, words).map((text) => `"${text}"`) },
  { weight: 2, arbitrary: fc.oneof(tame, words).map((text) => `'${text}'`) },
);
const member = fc.tuple(
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...NAMES, '"name"', '"port"') },
    { weight: 1, arbitrary: words },
  ),
  fc.constantFrom(': ', ': ', ': ', ':  ', ':', ' : '),
  scalar,
);
const members = fc.uniqueArray(member, { minLength: 1, maxLength: 5, selector: ([name]) => name });
const mapping = members.map((all) => `{${all.map((parts) => parts.join('')).join(', ')}}`);
const block = members.map((all) =>
  all.map((parts, n) => (n === 0 ? '  - ' : '    ') + parts.join('')).join('\n'),
);
const entry = fc.oneof(
  mapping.map((text) => `  - ${text}`),
  block,
);
const mutated = fc
  .tuple(entry, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 3 }), words), { maxLength: 1 }))
  .map(([text, edits]) =>
    edits.reduce((now, [place, skip, piece]) => {
      const at = place % (now.length + 1);
      return now.slice(0, at) + piece + now.slice(at + skip);
    }, text),
  );

/** What the library reads, as the fast reader gives it. */
function byLibrary(text: string, isFlow = false): unknown {
  const value = parseEntry(text, isFlow);
  return typeof value === 'object' && value !== null ? Object.entries(value) : value;
}

describe('an entry in the simplest notation', () => {
  it(
    'is read as the YAML library reads it, or left to the library',
    () => {
      let read = 0;
      fc.assert(
        fc.property(mutated, (text) => {
          const simple = readSimpleEntry(text);
          if (simple === null) return;
          read++;
          expect(simple).toEqual(byLibrary(text));
        }),
        { numRuns },
      );
      // Otherwise the test would compare next to nothing.
      expect(read).toBeGreaterThan(numRuns / 20);
    },
    timeout,
  );

  it('needs no library for what lists usually hold', () => {
    for (const text of [
      '  - {name: "US 1", type: socks5, server: 192.0.2.1, port: 1080, username: u, password: p@ss#1, udp: true}',
      '  - {"name":"\\ud83c\\uddfa \\"US\\"","type":"http","server":"h.example","port":80,"udp":true}',
      "- name: \u{1F1FA}\u{1F1F8} US 1\n  type: http\n  server: h.example\n  port: 80\n  password: 'x y'\n  username: ~",
    ])
      expect(readSimpleEntry(text)).toEqual(byLibrary(text));
  });
});

describe('a list in brackets', () => {
  it(
    'is cut into the elements that the YAML library sees, wherever the text is cut',
    () => {
      let compared = 0;
      const separator = fc.constantFrom(',', ', ', ',\n  ', ' ,\n', ", # it's {\n ");
      const list = fc.array(fc.tuple(fc.oneof(mapping, scalar), separator), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(list, fc.nat(), (elements, place) => {
          // The reader has made every line end an LF by then.
          const text = `[${elements.map((parts) => parts.join('')).join('')}]`.replaceAll('\r', '\n');
          const whole = parseEntry(text, true);
          if (!Array.isArray(whole)) return;
          compared++;
          const splitter = new FlowSplitter(16_384, 1);
          const found: Element[] = [];
          const at = place % text.length;
          splitter.push(text.slice(0, at), found);
          if (!splitter.closed) splitter.push(text.slice(at), found);
          expect(splitter.closed).toBe(true);
          const read = found.map((element) => {
            const simple = readSimpleMapping(element.text ?? '');
            return simple ? Object.fromEntries(simple) : parseEntry(element.text ?? '', true);
          });
          // An element that cannot stand alone, such as one with `...` at the beginning of a line, is rejected.
          expect(read).toEqual(whole.map((element, n) => (read[n] === undefined ? undefined : element)));
        }),
        { numRuns },
      );
      expect(compared).toBeGreaterThan(numRuns / 20);
    },
    timeout,
  );
});
