import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ListVerdict, parseProxyList } from '../../src/lists/index.ts';

async function collect(...args: Parameters<typeof parseProxyList>): Promise<ListVerdict[]> {
  const verdicts: ListVerdict[] = [];
  for await (const verdict of parseProxyList(...args)) verdicts.push(verdict);
  return verdicts;
}

function countKinds(verdicts: readonly ListVerdict[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verdicts) {
    const kind = verdict.kind === 'refused' ? verdict.code : verdict.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describe('parseProxyList', () => {
  it('gives a verdict for each line of the example, as many as there are', async () => {
    const text = readFileSync(new URL('../../examples/proxies.txt', import.meta.url), 'utf8');
    const verdicts = await collect(text);
    expect(verdicts.map(({ line }) => line)).toEqual(text.split('\n').map((_, index) => index + 1));
    expect(countKinds(verdicts)).toEqual({
      proxy: 336,
      comment: 12,
      blank: 10,
      'bad-host': 5,
      'missing-port': 2,
      'bad-port': 2,
      'unknown-scheme': 1,
      ambiguous: 2,
      'bad-credentials': 2,
      'not-a-proxy': 1,
    });
  });

  it('ends lines at LF, CRLF and CR, and needs none at the end', async () => {
    const verdicts = await collect('h.example:1\r\nh.example:2\rh.example:3\n\nh.example:4');
    expect(
      verdicts.map((verdict) =>
        verdict.kind === 'proxy' ? [verdict.line, verdict.proxy.port] : verdict.kind,
      ),
    ).toEqual([[1, 1], [2, 2], [3, 3], 'blank', [5, 4]]);
    expect(await collect('')).toEqual([]);
  });

  it('does not care how the bytes are cut, even inside a character', async () => {
    const bytes = Buffer.from('\uFEFFbücher.example:1:ü:pä\r\n\r\nh.example:2\n');
    const whole = await collect([bytes]);
    expect(whole.map(({ kind }) => kind)).toEqual(['proxy', 'blank', 'proxy']);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.sort((x, y) => x - y), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(await collect(pieces)).toEqual(whole);
      }),
    );
  });

  it('refuses a line that is too long without keeping it, and goes on', async () => {
    async function* hostile(): AsyncGenerator<string> {
      for (let n = 0; n < 2000; n++) yield 'x'.repeat(10_000);
      yield '\nh.example:1\n';
    }
    const verdicts = await collect(hostile());
    expect(verdicts).toMatchObject([
      { kind: 'refused', code: 'line-too-long', line: 1, text: '' },
      { kind: 'proxy', line: 2 },
    ]);
  });
});

/** Real public lists, beside the repository where they are; nothing is ever contacted. */
const LISTS = new URL('../../../shared/data/proxy-lists/', import.meta.url);

describe.runIf(existsSync(LISTS))('real lists (skipped where they are not beside the repository)', () => {
  it('all-protocols.txt: every line a proxy, by protocol', async () => {
    const verdicts = await collect(readFileSync(new URL('all-protocols.txt', LISTS), 'utf8'));
    const protocols: Record<string, number> = {};
    for (const verdict of verdicts)
      if (verdict.kind === 'proxy')
        protocols[verdict.proxy.protocol] = (protocols[verdict.proxy.protocol] ?? 0) + 1;
    expect(countKinds(verdicts)).toEqual({ proxy: 492 });
    expect(Object.values(protocols).reduce((sum, n) => sum + n, 0)).toBe(492);
    expect(Object.keys(protocols).sort()).toEqual(['http', 'socks4', 'socks5']);
  });

  it('socks5.txt: every line a proxy', async () => {
    const verdicts = await collect(readFileSync(new URL('socks5.txt', LISTS), 'utf8'), {
      protocol: 'socks5',
    });
    expect(countKinds(verdicts)).toEqual({ proxy: 79 });
  });

  it('annotated.txt: refused line by line with a reason, since this version does not read annotations', async () => {
    const verdicts = await collect(readFileSync(new URL('annotated.txt', LISTS), 'utf8'));
    expect(verdicts.length).toBeGreaterThan(400);
    for (const verdict of verdicts) if (verdict.kind === 'refused') expect(verdict.reason).not.toBe('');
  });
});
