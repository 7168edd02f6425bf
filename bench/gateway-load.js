// The clients of gateway.js, in a process of their own: bare sockets. It answers each message with what it has measured, and checks each
// byte that comes back.
import { connect } from 'node:net';
import { BODY, PATTERN, PING } from './gateway-bytes.js';

const END = Buffer.from('\r\n\r\n');
const HOST = 'target.example';
const GET = Buffer.from(
  `GET http://${HOST}/some/path?of=some&length=1 HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: a client\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n`,
);
const CONNECT = Buffer.from(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`);

/** Sockets that wait for the next work, by what they are for. */
let clients = [];
let held = [];

const WORKS = {
  /** Opens connections of clients, and uses each. */
  async ready({ port, count }) {
    clients = await Promise.all(Array.from({ length: count }, () => open(port)));
    await Promise.all(clients.map((client) => get(client)));
  },
  /** Requests on the open connections for some time. */
  async get({ ms }) {
    const times = [];
    const since = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        for (let at = performance.now(); at - since < ms; ) {
          await get(client);
          const now = performance.now();
          times.push(now - at);
          at = now;
        }
      }),
    );
    return ended(times, since);
  },
  /**
   * Requests at a rate, by turns on the open connections. A request that is due while its connection waits for an answer counts from when it
   * was due.
   */
  async paced({ ms, rate }) {
    const times = [];
    const since = performance.now();
    const waiting = clients.map(() => Promise.resolve());
    const ask = async (client, due) => {
      await get(client);
      times.push(performance.now() - due);
    };
    for (let sent = 0, now = since; now - since < ms; now = performance.now()) {
      for (; sent < ((now - since) * rate) / 1000; sent++) {
        const n = sent % clients.length;
        waiting[n] = waiting[n].then(() => ask(clients[n], now));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(waiting);
    return ended(times, since);
  },
  /** Tunnels one after another for some time, each with one exchange. */
  async connects({ port, count: atOnce, ms }) {
    let count = 0;
    const since = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (performance.now() - since < ms) {
          const client = await tunnel(port);
          const isClosed = new Promise((resolve) => client.socket.once('close', resolve));
          client.socket.end();
          await isClosed;
          count++;
        }
      }),
    );
    return { count, ms: performance.now() - since };
  },
  async bulk({ port, bytes }) {
    const client = await open(port);
    await established(client);
    const since = performance.now();
    client.socket.write(`bulk ${bytes}`);
    await received(client.socket, bytes);
    const ms = performance.now() - since;
    client.socket.destroy();
    return { count: bytes / 1e6, ms };
  },
  /** Opens tunnels, uses each once, and holds them. */
  async hold({ port, count }) {
    let left = count;
    await Promise.all(
      Array.from({ length: Math.min(count, 50) }, async () => {
        while (left-- > 0) held.push(await tunnel(port));
      }),
    );
  },
  async drop() {
    await Promise.all(
      held.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve).end())),
    );
    held = [];
  },
};

/** Closes the clients, and sums up how long each request took. */
function ended(times, since) {
  const ms = performance.now() - since;
  for (const { socket } of clients) socket.destroy();
  clients = [];
  times.sort((a, b) => a - b);
  const percentile = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
  return { count: times.length, ms, p50: percentile(0.5), p99: percentile(0.99) };
}

process.on('message', async ({ work, ...options }) => process.send((await WORKS[work](options)) ?? {}));

/** A connection, and who waits for its next bytes. */
function open(port) {
  return new Promise((resolve, reject) => {
    const client = { socket: connect({ port, host: '127.0.0.1', noDelay: true }), wait: null };
    const { socket } = client;
    const fail = (error) => (client.wait?.reject ?? reject)(error);
    socket.on('error', fail).on('close', () => client.wait?.reject(new Error('closed before an answer')));
    socket.on('data', (bytes) => client.wait?.take(bytes));
    socket.once('connect', () => resolve(client));
  });
}

/** Sends, and reads until `isWhole` says so. */
function ask(client, bytes, isWhole) {
  return new Promise((resolve, reject) => {
    let all = null;
    client.wait = {
      reject,
      take(piece) {
        all = all === null ? piece : Buffer.concat([all, piece]);
        try {
          if (!isWhole(all)) return;
        } catch (error) {
          reject(error);
          return;
        }
        client.wait = null;
        resolve(all);
      },
    };
    client.socket.write(bytes);
  });
}

function get(client) {
  return ask(client, GET, (all) => {
    const end = all.indexOf(END);
    if (end === -1 || all.length < end + 4 + BODY.length) return false;
    assert(all[9] === 50 && all.compare(BODY, 0, BODY.length, end + 4) === 0, all);
    return true;
  });
}

async function tunnel(port) {
  const client = await open(port);
  await established(client);
  await ask(client, PING, (all) => {
    if (all.length < PING.length) return false;
    assert(all.equals(PING), all);
    return true;
  });
  return client;
}

function established(client) {
  return ask(client, CONNECT, (all) => {
    if (all.indexOf(END) === -1) return false;
    assert(all[9] === 50 && all.indexOf(END) === all.length - 4, all);
    return true;
  });
}

function received(socket, size) {
  return new Promise((resolve, reject) => {
    let at = 0;
    socket.removeAllListeners('data').on('data', (bytes) => {
      for (let from = 0; from < bytes.length; ) {
        const start = at % PATTERN.length;
        const length = Math.min(bytes.length - from, PATTERN.length - start);
        if (bytes.compare(PATTERN, start, start + length, from, from + length) !== 0)
          reject(new Error(`other bytes than were sent, after ${at}`));
        from += length;
        at += length;
      }
      if (at === size) resolve();
    });
  });
}

function assert(isSo, bytes) {
  if (!isSo) throw new Error(`an answer is not what was sent: ${bytes.toString('latin1', 0, 200)}`);
}
