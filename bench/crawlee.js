// The same work by Crawlee: a proxy for a request, the proxy that a session keeps, and a lease that is reported. Runs in a process of its
// own for each size of the pool; both take turns in short batches. Crawlee keeps all in memory and writes its state now and then; here it
// writes none. It answers with a promise, which is waited for. Its URLs have no logins, and no login is revealed here.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVault } from 'proxyvault';
import { newPool } from './choosing-pools.js';
import { folder } from './pools.js';
import { median } from './rounds.js';

const SELF = fileURLToPath(import.meta.url);
const { resolve: find } = createRequire(new URL('peers/package.json', import.meta.url));
const ROUNDS = 15;
const LEASE_ROUNDS = 9;
/** Enough for the storing to have its share in every batch. */
const CALLS_STORED = 5000;
const BATCH_MS = 10;
const SESSIONS = 1000;

/** @returns {{name: string, value: number, unit: string, goal: number | null}[]} Nothing if Crawlee is not installed. */
export function measureCrawlee({ sizes = [1000, 100_000, 1_000_000] } = {}) {
  try {
    find('@crawlee/core');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    console.error('The comparison with Crawlee is skipped: run npm ci in bench/peers.');
    return [];
  }
  return sizes.flatMap((size) => {
    const path = newPool(size);
    const output = execFileSync(process.execPath, [SELF, 'child', path, String(size)], {
      encoding: 'utf8',
      env: { ...process.env, CRAWLEE_PERSIST_STORAGE: '0', CRAWLEE_LOG_LEVEL: 'ERROR' },
      cwd: folder,
    });
    const of = `, of ${size.toLocaleString('en')}`;
    return JSON.parse(output).flatMap(({ name, ratio, perSecond, goal = null }) => [
      { name: `${name}${of}`, value: ratio, unit: 'x', goal, isLeast: true },
      { name: '  of ours a second', value: perSecond, unit: '', goal: null },
    ]);
  });
}

async function child(path, size) {
  const { ProxyConfiguration, Session, SessionPool } = await import(find('@crawlee/core')).then(
    (module) => module.default ?? module,
  );
  const vault = await openVault({ path, keyFile: join(folder, 'crawlee.key'), durability: 'normal' });
  const { pool } = vault;
  const urls = Array.from({ length: size }, (_, n) => `http://h${n}.example:8080`);
  // It checks each URL with a regular expression, which takes minutes for a million: one is checked here.
  const proxies = new ProxyConfiguration({ proxyUrls: urls.slice(0, 1) });
  proxies.proxyUrls = urls;
  const sessions = await SessionPool.open({ maxPoolSize: SESSIONS, persistenceOptions: { enable: false } });
  const names = Array.from({ length: SESSIONS }, (_, n) => `session${n}`);
  for (const id of names) {
    await sessions.addSession({ id });
    await proxies.newUrl(id);
    pool.choose({ session: id });
  }
  const requests = names.map((session) => ({ session }));
  let n = 0;
  let made = 0;
  const pairs = {
    'newUrl() over choose()': [() => pool.choose(), () => proxies.newUrl()],
    'newUrl(session) over choose({ session })': [
      () => pool.choose(requests[n++ % SESSIONS]),
      () => proxies.newUrl(names[n++ % SESSIONS]),
    ],
    'getSession() and newUrl(id) over choose({ session })': [
      () => pool.choose(requests[n++ % SESSIONS]),
      async () => proxies.newUrl((await sessions.getSession()).id),
    ],
    'a new session over choose({ session }), which commits it': [
      () => pool.choose({ session: `new${made++}` }),
      async () => {
        const id = `other${made++}`;
        await sessions.addSession({ id });
        return proxies.newUrl(id);
      },
    ],
  };
  const results = [];
  for (const [name, [ours, theirs]] of Object.entries(pairs))
    results.push({ name, ...(await compare({ work: ours, time }, { work: theirs, time: timeAwaited })) });
  const used = await manySessions(SessionPool, Session, size);
  results.push(...(await compareLeases(vault, used)));
  process.stdout.write(JSON.stringify(results), () => process.exit());
}

/** As many as we have proxies. None is retired, as those are by default that were used 50 times. */
async function manySessions(SessionPool, Session, size) {
  const pool = await SessionPool.open({
    maxPoolSize: size,
    persistenceOptions: { enable: false },
    sessionOptions: { maxUsageCount: Number.MAX_SAFE_INTEGER, maxAgeSecs: 86_400 },
  });
  await pool.addSession();
  const [first] = pool.sessions;
  // It checks what each is made of, which takes minutes for a million: one is checked here, and the others are copies.
  for (let n = 1; n < size; n++)
    pool._addSession(Object.assign(Object.create(Session.prototype), first, { id: `session_${n}` }));
  return pool;
}

async function compareLeases(vault, sessions) {
  const { pool } = vault;
  let n = 0;
  const theirs = { work: async () => (await sessions.getSession()).markGood(), time: timeAwaited };
  const ours = {
    work: async () => (await pool.acquire()).succeed({ latencyMs: 20 + (n++ % 997) }),
    time: timeAwaited,
  };
  const limits = { maxConcurrentPerProxy: 8, maxLeases: 10_000 };
  const compareWith = (durability, work) => {
    vault.config.update({ options: { limits, durability } });
    return compare(work, theirs, LEASE_ROUNDS);
  };
  const name = 'getSession() and markGood() over acquire() and succeed()';
  const between = { ...ours, rest: () => pool.flush() };
  const within = { ...ours, least: CALLS_STORED };
  return [
    { name, ...(await compareWith({ lossMs: 60_000, lossOutcomes: 1_000_000 }, between)), goal: 1 },
    {
      name: `${name}, with the storing`,
      ...(await compareWith({ lossMs: undefined, lossOutcomes: undefined }, within)),
    },
  ];
}

/**
 * The time of theirs over ours: above 1, ours is faster.
 *
 * @param {{work: () => unknown, time: typeof time | typeof timeAwaited, least?: number, rest?: () => void}} ours `least` calls make a
 *   batch at least; `rest` is called after each batch, and is not measured
 */
async function compare(ours, theirs, roundCount = ROUNDS) {
  const sides = [ours, theirs];
  const measure = async ({ work, time, rest }, count) => {
    const ms = await time(work, count);
    rest?.();
    return ms;
  };
  const counts = [];
  for (const side of sides) counts.push(await batchSize((count) => measure(side, count), side.least));
  const rounds = [];
  for (let round = 0; round < roundCount; round++) {
    const each = [0, 0];
    for (const side of round % 2 === 0 ? [0, 1] : [1, 0])
      each[side] = (await measure(sides[side], counts[side])) / counts[side];
    rounds.push(each);
  }
  return {
    ratio: median(rounds.map(([own, other]) => other / own)),
    perSecond: 1000 / median(rounds.map(([own]) => own)),
  };
}

/** The quickest of three, since a noisy machine makes any of them slow. */
async function batchSize(work, least = 1) {
  for (let count = least; ; count *= 2) {
    const times = [await work(count), await work(count), await work(count)];
    if (Math.min(...times) >= BATCH_MS || count >= 100_000) return count;
  }
}

function time(work, count) {
  const start = performance.now();
  for (let n = 0; n < count; n++) work();
  return performance.now() - start;
}

async function timeAwaited(work, count) {
  const start = performance.now();
  for (let n = 0; n < count; n++) await work();
  return performance.now() - start;
}

if (process.argv[1] === SELF) {
  const [mode, path, size] = process.argv.slice(2);
  if (mode === 'child') await child(path, Number(size));
  else console.table(measureCrawlee());
}
