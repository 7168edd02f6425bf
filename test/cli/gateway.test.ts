import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

interface Shown {
  gateway: boolean;
}

describe('a gateway', () => {
  it('is what add, edit and a list say, and no proxy is one unless they do', () => {
    const { run, json } = commandLine();
    const isGateway = (port: number): boolean => json<Shown>('show', `gate.example:${port}`).gateway;
    expect(json<Shown>('add', 'http://gate.example:1', '--gateway').gateway).toBe(true);
    run(['add', 'http://gate.example:2']);
    run(['import', '-'], { input: 'host,port,gateway\ngate.example,3,yes\ngate.example,4,no\n' });
    expect([1, 2, 3, 4].map(isGateway)).toEqual([true, false, true, false]);
    expect(run(['edit', 'gate.example:1', '--name', 'other']).status).toBe(0);
    expect(isGateway(1)).toBe(true);
    expect(run(['edit', 'gate.example:1', '--no-gateway']).stdout).toContain('gateway: true -> false');
    expect(run(['edit', 'gate.example:2', '--gateway']).stdout).toContain('gateway: false -> true');
    expect(run(['edit', 'gate.example:2', '--gateway']).stdout).toContain('nothing changed');
    expect([1, 2].map(isGateway)).toEqual([false, true]);
    expect(run(['list', '--json']).stdout).toContain('"gateway": true');
  });

  it('is exported as JSON and CSV, and read back', () => {
    const { run, json } = commandLine();
    run(['add', 'http://gate.example:1', '--gateway']);
    for (const format of ['json', 'csv']) {
      const { stdout } = run(['export', '--format', format]);
      const other = commandLine();
      other.run(['import', '-'], { input: stdout });
      expect(other.json<Shown>('show', 'gate.example:1').gateway).toBe(true);
    }
    expect(json<Shown>('show', 'gate.example:1').gateway).toBe(true);
  });
});
