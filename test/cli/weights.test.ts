import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const HOSTILE = [
  '0',
  '-1',
  '-0',
  '1e400',
  '1e-400',
  '1000000001',
  'NaN',
  'Infinity',
  '',
  ' ',
  'x',
  '0x10',
  '1,5',
  '٣',
];
const TAKEN: [text: string, weight: number][] = [
  ['1', 1],
  ['0.5', 0.5],
  ['1e3', 1000],
  ['007', 7],
  ['1000000000', 1e9],
  ['1e-300', 1e-300],
];

interface Shown {
  weight: number;
}

function withProxy(): ReturnType<typeof commandLine> & { weightOf: (port: number) => number } {
  const cli = commandLine();
  cli.run(['add', 'http://gate.example:1', '--weight', '3']);
  return { ...cli, weightOf: (port) => cli.json<Shown>('show', `gate.example:${port}`).weight };
}

describe('--weight', () => {
  it('is 1 unless it is given', () => {
    const { run, weightOf } = withProxy();
    expect(weightOf(1)).toBe(3);
    run(['add', 'http://gate.example:2']);
    expect(weightOf(2)).toBe(1);
    run(['edit', 'gate.example:1', '--name', 'other']);
    expect(weightOf(1)).toBe(3);
  });

  it('of add and edit takes a number', () => {
    const { run, json, weightOf } = withProxy();
    TAKEN.forEach(([text, weight], n) => {
      expect(json<Shown>('add', `http://gate.example:${10 + n}`, '--weight', text).weight).toBe(weight);
      expect(run(['edit', 'gate.example:1', '--weight', text]).status).toBe(0);
      expect([text, weightOf(1)]).toEqual([text, weight]);
    });
  });

  it('of add and edit rejects all else, says what it must be, and changes nothing', () => {
    const { run } = withProxy();
    const before = run(['list', '--json']).stdout;
    for (const text of HOSTILE)
      for (const args of [
        ['add', 'http://gate.example:4'],
        ['edit', 'gate.example:1', '--name', 'other'],
      ])
        for (const flag of [['--weight', text], [`--weight=${text}`]])
          expect({ text, ...run([...args, ...flag]) }).toMatchObject({
            status: 2,
            stdout: '',
            stderr: expect.stringMatching(
              /'--weight <number>'.* must be a number above 0, of at most 1000000000\./,
            ),
          });
    expect(run(['list', '--json']).stdout).toBe(before);
  });
});

describe('the weight in a list', () => {
  const imported = (name: string, text: string): { stderr: string; stdout: string; weight: number } => {
    const cli = commandLine();
    const file = join(cli.folder, name);
    writeFileSync(file, text);
    const { status, stdout, stderr } = cli.run(['import', file]);
    expect(status).toBe(0);
    return { stdout, stderr, weight: cli.json<Shown>('show', 'gate.example:1').weight };
  };
  const csv = (weight: string) =>
    imported('list.csv', `protocol,host,port,weight\nhttp,gate.example,1,"${weight}"\n`);
  const json = (weight: unknown) =>
    imported('list.json', JSON.stringify([{ protocol: 'http', host: 'gate.example', port: 1, weight }]));

  it.each(TAKEN)('is taken: %s', (text, weight) => {
    expect(csv(text).weight).toBe(weight);
    expect(json(weight).weight).toBe(weight);
  });

  it.each(['0', '-1', '1e400', '1000000001', 'NaN', 'x'])(
    'that is no weight is left out with a note, and the proxy is added: %s',
    (text) => {
      for (const { stdout, stderr, weight } of [csv(text), json(text)]) {
        expect(`${stdout}${stderr}`).toContain('the weight was left out: it is not a number above 0');
        expect(weight).toBe(1);
      }
    },
  );
});
