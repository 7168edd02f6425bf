/** A client that sends something odd cannot make the gateway send anything but one plain request for each that it has understood. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { openVault } from 'proxyvault';
import { expect, it, onTestFinished } from 'vitest';
import { framingProblem, hostDisagrees } from '../../src/gateway/framing.ts';
import { parsePlainUrl } from '../../src/gateway/plain-url.ts';
import { numberOfRuns } from '../support/number-of-runs.ts';
import { type Seen, startRecorder, startStrictParser } from '../support/raw-http.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { mutatedEncodings, mutatedLengths, oddLines } from './mutated-framing.ts';

/** What the gateway may send on. */
function isClear({ kind, method, url, httpVersion, rawHeaders }: Seen): boolean {
  const target = parsePlainUrl(url)?.target;
  return (
    kind === 'request' &&
    target !== undefined &&
    framingProblem(rawHeaders, method, httpVersion) === null &&
    hostDisagrees(rawHeaders, target) === null
  );
}

const answersIn = (text: string): number => text.match(/HTTP\/1\.1 [2-5]\d\d /g)?.length ?? 0;

/** Sends bytes, and waits until the gateway has closed the connection, or says nothing more after so many answers. */
function send(port: number, bytes: string, expected: number): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const client = connect(port, '127.0.0.1', () => client.write(bytes, 'latin1'));
    client.setEncoding('latin1').on('data', (text) => {
      received += text;
      if (answersIn(received) >= expected) client.setTimeout(50);
    });
    client.setTimeout(10_000, () => client.destroy());
    client.on('error', () => {}).once('close', () => resolve(received));
  });
}

const plain = fc.constantFrom('Transfer-Encoding: chunked\r\n', 'Content-Length: 5\r\n', '');
const headers = fc.oneof(plain, mutatedEncodings, mutatedLengths);
const bodies = fc.constantFrom(
  '',
  '0\r\n\r\n',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5\nhello\r\n0\r\n\r\n',
);
const requests = fc.tuple(
  fc.constantFrom('GET', 'POST', 'DELETE'),
  headers,
  fc.oneof(fc.constant(''), oddLines),
  bodies,
);

it('sends one plain request for each that is clear, whatever a client mixes', async () => {
  const ask = await startStrictParser();
  const recorder = await startRecorder();
  const folder = temporaryFolder();
  const vault = await openVault({
    path: `${folder}/pool.db`,
    keyFile: `${folder}/key`,
    durability: 'normal',
  });
  onTestFinished(() => vault.close());
  await vault.import(`http://user:hunter2@127.0.0.1:${recorder.port}`);
  const gateway = await vault.serve({ port: 0, headerMs: 150 });
  let runs = 0;
  let left = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(requests, async ([method, framing, odd, body]) => {
      const n = ++runs;
      const first = `${method} http://a.example/first/${n} HTTP/1.1\r\nHost: a.example\r\n${odd}${framing}\r\n${body}`;
      const second = `GET http://b.example/second/${n} HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n`;
      const bytes = first + second;
      const seen = await ask(bytes);
      const answers = await send(gateway.port, bytes, seen.length);
      expect(recorder.problems.splice(0)).toEqual([]);
      const sent = recorder.connections
        .flatMap(({ requests }) => requests)
        .filter(({ line }) => line.includes(`/${n} `));
      const asLine = ({ method, url }: Seen) => `${method} ${url} HTTP/1.1`;
      const understood = seen.filter((each) => each.isWhole && isClear(each));
      for (const each of sent) {
        const from = understood.find((one) => asLine(one) === each.line);
        expect(from).toMatchObject({ body: each.body });
      }
      // Not each has its answer: the connection is closed after one that must not be followed by another.
      expect(answers.match(/HTTP\/1\.1 200 /g)?.length ?? 0).toBeLessThanOrEqual(sent.length);
      left += sent.length;
      if (sent.length === 0) refused++;
    }),
    { numRuns: numberOfRuns(800) },
  );
  // Neither all nor nothing is refused, and no proxy was blamed for what a client did.
  expect(left).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
  expect(vault.pool.stats()).toMatchObject({ states: { ready: 1 } });
});
