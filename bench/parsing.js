// Reading lists in this checkout against another one of this repository, such as a worktree of an earlier commit with its own
// `npm ci`: `node bench/parsing.js OTHER [LINES]`. They take turns in one process. Prints for each kind of list the lines a second of
// processor time, and new / old.
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OWN = fileURLToPath(new URL('..', import.meta.url));
const ROUNDS = 5;

const [other, lines = '200000'] = process.argv.slice(2);
if (other === undefined) throw new Error('Usage: node bench/parsing.js OTHER [LINES]');
const readers = [];
for (const root of [resolve(other), OWN]) {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
  // The file itself: an older checkout has no entry point for lists.
  readers.push((await import(pathToFileURL(join(root, 'dist/lists/parse-list.js')))).parseProxyList);
}

const ip = (n) => `${20 + (n % 150)}.${n % 256}.${(n * 7) % 256}.${(n * 13) % 256}`;
const port = (n) => 1 + (n % 65_535);
const KINDS = {
  'host:port': (n) => `${ip(n)}:${port(n)}`,
  'scheme://host:port': (n) => `socks5://${ip(n)}:${port(n)}`,
  'host:port:user:pass': (n) => `${ip(n)}:${port(n)}:user${n}:pw${n * 31}`,
  'scheme://user:pass@host:port': (n) => `http://user${n}:pw${n * 31}@gate${n % 99}.example.com:${port(n)}`,
  'host:port with an annotation': (n) => `${ip(n)}:${port(n)} US-H! +`,
  'JSON lines': (n) =>
    JSON.stringify({ ip: ip(n), port: port(n), protocol: 'http', country: 'DE', latency: n }),
  'CSV with a header': (n) => (n === 0 ? 'ip,port,username,password' : `${ip(n)},${port(n)},user${n},pw${n}`),
  YAML: (n) =>
    `${n === 0 ? 'proxies:\n' : ''}  - {name: p${n}, type: socks5, server: ${ip(n)}, port: ${port(n)}, username: u${n}, password: p${n}}`,
};

for (const [kind, line] of Object.entries(KINDS)) {
  const text = `${Array.from({ length: Number(lines) }, (_, n) => line(n)).join('\n')}\n`;
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, read] of readers.entries())
      best[index] = Math.min(best[index], await secondsOf(read, text));
  const [old, own] = best.map((seconds) => Math.round(Number(lines) / seconds));
  console.log(`${kind}: ${own} lines a second, ${(own / old).toFixed(2)} of the other checkout's ${old}`);
}

async function secondsOf(read, text) {
  const start = process.cpuUsage();
  let proxies = 0;
  for await (const verdict of read(text)) if (verdict.kind === 'proxy') proxies++;
  const { user, system } = process.cpuUsage(start);
  if (proxies < Number(lines) - 1) throw new Error(`${proxies} proxies were read`);
  return (user + system) / 1e6;
}
