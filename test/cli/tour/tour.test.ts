import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../support/command-line.ts';

/** The chapters of the tour by the beginning of their titles. */
function chaptersOf(stdout: string): (title: string) => string {
  const chapters = stdout.split('\n\n').flatMap((part) => (part.includes('\n') ? [part.trim()] : []));
  return (title) => {
    const found = chapters.find((chapter) => chapter.startsWith(title));
    if (found === undefined) throw new Error(`There is no chapter ${title} in ${stdout}`);
    return found;
  };
}

/** The cells of the rows of a table, which has two spaces between columns. */
function rowsOf(chapter: string): string[][] {
  return chapter.split('\n').map((line) => line.split(/ {2,}/));
}

const WORKING = ['alpha', 'bravo', 'delta', 'echo', 'golf', 'hotel'];

describe('npm start: the tour', () => {
  it('shows the gateway with real proxies, and ends by itself within 20 seconds', () => {
    const { runProcess, run, folder } = commandLine();
    const since = performance.now();
    const { status, stdout, stderr } = runProcess(['tour'], { env: { npm_lifecycle_event: 'start' } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(performance.now() - since).toBeLessThan(20_000);
    const chapter = chaptersOf(stdout);

    expect(stdout).toContain('9 added');
    expect(chapter('One local port')).toMatch(
      /\nListening on 127\.0\.0\.1:\d+ \(HTTP, SOCKS5\)\. 9 proxies: 9 ready\.\nListening on 127\.0\.0\.1:\d+ for session browser\.$/,
    );

    // Each request was served, the 429 of a proxy was passed on, and those that failed were replaced.
    const requests = rowsOf(chapter('HTTP and SOCKS5 clients')).slice(2);
    expect(requests).toHaveLength(12);
    for (const [url = '', client, answer, by = ''] of requests) {
      expect(url).toMatch(/^https?:\/\/(?:shop|news)\.example\//);
      expect(['http', 'socks5']).toContain(client);
      expect([by, answer]).toEqual([by, by === 'india' ? '429' : '200']);
      expect([...WORKING, 'india']).toContain(by);
    }
    const failed = requests.map((cells) => cells[4]).join(' ');
    expect(failed).toMatch(/charlie: connect after \d+ ms/);
    expect(failed).toMatch(/foxtrot: timeout after \d+ ms/);

    const sessions = rowsOf(chapter('A session keeps')).slice(2);
    expect(sessions.map(([name, count]) => [name, count])).toEqual([
      ['session-cart17', '4'],
      ['country-fr-session-cart18', '4'],
      ['none, at the port of the browser', '4'],
    ]);
    for (const [, , by = ''] of sessions) expect(WORKING).toContain(by);
    expect(['delta', 'echo']).toContain(sessions[1]?.[2]);

    const [, victim = ''] = /After \d+ of them (\w+), which has the session/.exec(stdout) ?? [];
    expect(victim).toBe(sessions[0]?.[2]);
    const kill = chapter('300 requests');
    expect(kill).toMatch(
      /^300 of 300 were answered with 200, 0 were not\. \d+ came to .* first, and another/m,
    );
    expect(kill).toContain(`A tunnel that was open through ${victim} is closed`);
    expect(kill).toMatch(
      new RegExp(`^The session moved from ${victim} to (?!${victim})\\w+, and keeps it\\.$`, 'm'),
    );

    const recovery = chapter('All that are out');
    expect(recovery).toContain(`${victim} is back`);
    expect(recovery).toContain('charlie is back');
    expect(recovery).not.toContain('still out');

    expect(chapter('Inside of a tunnel')).toMatch(
      /\nSo (\w+) is out for shop\.example \(blocked, status 429\), and the session asks shop\.example through (?!\1)\w+\.$/,
    );

    const usage = rowsOf(chapter('Usage'));
    const usageOf = (name: string): string[] => usage.find(([first]) => first === name) ?? [];
    for (const name of WORKING) expect(Number(usageOf(name)[2])).toBeGreaterThan(5);
    expect(usageOf('foxtrot').slice(3, 4)).toEqual(['0']);
    expect(usageOf('india')[1]).toMatch(/^out for (?:news|shop)\.example/);
    expect(chapter('Events')).toMatch(/\n0 scheduled, [1-9]\d* failure, 0 manual, 0 startup\.$/);

    expect(chapter('Nothing leaked')).toMatch(
      /3 passwords of the list .*: 0 found\.\nIn the log of \d+ requests: 0 found\. Connections .* open: 0\.$/,
    );
    const file = readFileSync(join(folder, 'data', 'tour.db'), 'latin1');
    for (const password of ['al:pha@', '-77c0', '-52aa']) expect(`${file}${stdout}`).not.toContain(password);

    expect(chapter('Try next')).toContain('\nnpm start -- serve\n');
    expect(stdout).toContain('\nnpm start -- tour --simulated\n');
    expect(existsSync(join(folder, 'share'))).toBe(false);
    // The pool stays, and can be read.
    const stats = run(['stats', '--by', 'proxy', '--db', 'data/tour.db', '--key-file', 'data/tour.key']);
    expect(stats).toMatchObject({ status: 0, stdout: expect.stringContaining('hotel') });
  });

  it('may be seen again, in a new pool', () => {
    const { runProcess } = commandLine();
    for (let round = 0; round < 2; round++) {
      const { status, stdout } = runProcess(['tour'], { env: { npm_lifecycle_event: '' } });
      expect([status, stdout]).toEqual([0, expect.stringContaining('\nproxyvault serve\n')]);
    }
  });
});
