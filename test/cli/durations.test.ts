import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/model/duration.ts';
import { commandLine } from '../support/command-line.ts';

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const UNITS = Object.keys(MS) as (keyof typeof MS)[];

describe('a length of time', () => {
  it('is its number times its unit, and nothing else is one', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom(...UNITS), (n, unit) => {
        expect(parseDuration(`${n}${unit}`)).toBe(n * MS[unit]);
        expect(parseDuration(String(n))).toBeNull();
        expect(parseDuration(`-${n}${unit}`)).toBeNull();
        expect(parseDuration(`${n}${unit}x`)).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const value = parseDuration(text);
        if (/^\s*\d+(\.\d+)?(ms|s|m|h|d|w)\s*$/.test(text)) return;
        expect(value).toBeNull();
      }),
    );
    expect(parseDuration('0.1s')).toBe(100);
    expect(parseDuration('1.5h')).toBe(5_400_000);
    for (const wrong of ['', 'ms', '5 m', '5M', '5min', '1h30m', '1e3s', '0x1s', '٥m', `${'9'.repeat(15)}w`])
      expect([wrong, parseDuration(wrong)]).toEqual([wrong, null]);
  });
});

describe('the command line takes a time with its unit, and stores milliseconds', () => {
  function withProxy() {
    const cli = commandLine();
    const { id } = cli.json<{ id: string }>('add', 'h.example:1');
    return { ...cli, id };
  }

  it('of a sticky domain', () => {
    const { run, json, id } = withProxy();
    for (const [given, ttl] of [
      ['2w', 1_209_600_000],
      ['500ms', 500],
      // Without a unit as ever.
      ['3600000', 3_600_000],
    ] as const)
      expect(json('sticky', 'set', 'a.example', id, '--ttl', given)).toMatchObject({ ttl });
    for (const wrong of ['5x', '-5m', '0.5', '0.5ms', '', '1e3']) {
      const { status, stderr } = run(['sticky', 'set', 'a.example', id, `--ttl=${wrong}`]);
      expect([wrong, status]).toEqual([wrong, 2]);
      expect(stderr).toMatch(/ms, s, m, h, d or w, such as .*30s.*whole number of milliseconds/);
    }
    expect(json('sticky', 'list')).toMatchObject([{ ttl: 3_600_000 }]);
  });

  it('of a report', () => {
    const { run, json, id } = withProxy();
    expect(json('report', id, '--ok', '--latency', '1.5s')).toMatchObject({ latency: 1500 });
    expect(run(['report', id, '--ok', '--latency', 'soon']).stderr).toMatch(/ms, s, m, h, d or w/);
    expect(json('show', id)).toMatchObject({ totalRequests: 1 });
  });

  it('of the configuration', () => {
    const { run, json } = withProxy();
    expect(json('config', 'set', 'intervalMs=5m', 'options.stickyTtlMs=7d')).toMatchObject({
      intervalMs: 300_000,
      options: { stickyTtlMs: 604_800_000 },
    });
    expect(json('config', 'set', 'intervalMs=250')).toMatchObject({ intervalMs: 250 });
    const { status, stderr } = run(['config', 'set', 'intervalMs=soon']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/intervalMs must be a number with ms, s, m, h, d or w.*INVALID_INPUT/);
    expect(json('config', 'show')).toMatchObject({ intervalMs: 250 });
    expect(json('config', 'set', 'intervalMs=null')).toMatchObject({ intervalMs: null });
  });
});
