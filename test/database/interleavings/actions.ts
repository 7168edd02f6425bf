/**
 * What a process can do to a pool, through the public API, and what that is to the model.
 *
 * To add one: a line in ACTIONS. The template pool is made by `makeTemplate`.
 */
import { dirname, join } from 'node:path';
import {
  type EncryptedData,
  EncryptionService,
  type ErrorCode,
  importProxies,
  initDatabase,
  type Login,
  restoreDatabase,
} from 'proxyvault';
import { type Model, type ModelProxy, read } from './model.ts';
import { type KeyName, Party, sourceNamed } from './party.ts';
import type * as serial from './serial.ts';
import { Refusal } from './serial.ts';

type Step = serial.Step<Model>;

export interface Action {
  run: (party: Party) => unknown;
  /** Others may come between two of them, and see what one has left. */
  steps: readonly Step[];
  /** Of several calls: what the last is rejected with, and changes nothing, if another process has come between them. */
  mayThrow?: ErrorCode;
  /** It awaits something, so that another process can do it at a statement only in a thread of its own. */
  isAsync?: boolean;
}

export const loginOf = (n: number | string): Login => ({ username: `user-${n}`, password: `pass-${n}` });

/** Three proxies with logins (of p3 a password alone) and the tag `list`, one without; two requests of p1; three rules; a sticky domain. */
export async function makeTemplate(path: string): Promise<{ model: Model; code: string }> {
  using db = initDatabase({ path });
  db.migrations.up();
  await using party = new Party(path, 'first');
  for (const n of [1, 2, 3, 4]) {
    const id = `p${n}`;
    const credentials = n > 2 ? undefined : loginOf(n);
    party.proxies.create({ id, name: id, host: 'h.example', port: n, protocol: 'http', credentials });
    if (n < 4) party.tags.add(id, 'list', 'import-0');
  }
  // As the specification's example stores it: bound to no proxy.
  party.credentials.save('p3', party.encryption.encrypt('pass-3'));
  party.proxies.updateStats('p1', true, 10);
  party.proxies.updateStats('p1', false);
  party.sticky.create({ domain: 'd.example', proxyId: 'p2' });
  party.config.update({ failureThreshold: 2 });
  for (const name of ['a', 'b', 'c']) party.rules.create(ruleNamed(name));
  party.rules.reorder(['a', 'b', 'c']);
  const code = party.encryption.createRecoveryCode();
  return { model: { ...read(party), key: 'first', hasFile: false }, code };
}

const ruleNamed = (name: string) => ({
  id: name,
  name,
  conditions: [{ field: 'domain' as const, operator: 'equals' as const, value: `${name}.rule` }],
  actions: [{ type: 'block' as const }],
});

function needKey(model: Model): void {
  if (model.key !== 'first') throw new Refusal('KEY_MISMATCH');
}

function proxyIn(model: Model, name: string): ModelProxy {
  const proxy = model.proxies[name];
  if (proxy === undefined) throw new Refusal('NOT_FOUND');
  return proxy;
}

function setLogin(name: string, login: Login | null): Step {
  return (model) => {
    if (login !== null) needKey(model);
    proxyIn(model, name).login = login;
  };
}

const isSame = (a: ModelProxy, b: Pick<ModelProxy, 'address' | 'login'>): boolean =>
  a.address === b.address && JSON.stringify(a.login) === JSON.stringify(b.login);

function add(
  model: Model,
  name: string,
  proxy: Pick<ModelProxy, 'address' | 'login'> & Partial<ModelProxy>,
): void {
  if (proxy.login) needKey(model);
  if (name in model.proxies || Object.values(model.proxies).some((other) => isSame(other, proxy)))
    throw new Refusal('CONFLICT');
  model.proxies[name] = { region: null, status: 'active', requests: 0, successes: 0, tags: [], ...proxy };
}

function remove(model: Model, name: string): void {
  delete model.proxies[name];
  for (const [domain, proxy] of Object.entries(model.sticky)) if (proxy === name) delete model.sticky[domain];
  if (model.turn === name) model.turn = 'somebody who is gone';
}

function count(model: Model, name: string, isSuccess: boolean): void {
  const proxy = proxyIn(model, name);
  proxy.requests++;
  if (isSuccess) proxy.successes++;
}

/** Hands out the next of the active ones, by id. */
function next(model: Model): string {
  const active = Object.entries(model.proxies).flatMap(([name, { status }]) =>
    status === 'active' ? [name] : [],
  );
  const chosen = active.sort().find((name) => name > (model.turn ?? '')) ?? active[0];
  if (chosen === undefined) throw new Refusal('NO_PROXY');
  model.turn = chosen;
  return chosen;
}

const AT_P1 = {
  host: 'h.example',
  port: 1,
  protocol: 'http' as const,
  credentials: { username: 'user-1', password: 'added' },
};

/** A line of a list: the only proxy with its address and username gets the password, if it is the one that was there before. */
function importLine(model: Model, line: Line, { tag, before }: { tag?: string; before?: string } = {}): void {
  needKey(model);
  const { port, username, password } = line;
  const address = `http://h.example:${port}`;
  const same = namesOf(model, line);
  const exact = same.find((name) => model.proxies[name]?.login?.password === password);
  const only = same.length === 1 && (before ?? same[0]) === same[0] ? same[0] : undefined;
  const name = exact ?? only ?? `h.example:${port}`;
  if (!(name in model.proxies)) add(model, name, { address, login: { username, password } });
  const proxy = proxyIn(model, name);
  proxy.login = { username, password };
  if (tag !== undefined && !proxy.tags.includes(tag)) proxy.tags = [...proxy.tags, tag].sort();
}

function namesOf({ proxies }: Model, { port, username }: Line): string[] {
  const address = `http://h.example:${port}`;
  return Object.entries(proxies).flatMap(([name, proxy]) =>
    proxy.address === address && proxy.login?.username === username ? [name] : [],
  );
}

interface Line {
  port: number;
  username: string;
  password: string;
}

const LINES: readonly Line[] = [
  { port: 1, username: 'user-1', password: 'imported-1' },
  { port: 50, username: 'user-50', password: 'imported-50' },
  { port: 2, username: 'user-2', password: 'pass-2' },
  { port: 51, username: 'user-51', password: 'imported-51' },
];
const toText = (lines: readonly Line[]): string =>
  lines.map(({ port, username, password }) => `http://${username}:${password}@h.example:${port}\n`).join('');

/** A password that replaces another waits for the end of the list, and `last` comes with it. */
function inBatches(last: (model: Model) => void = () => undefined): Step[] {
  const [waiting, ...others] = LINES as [Line, ...Line[]];
  const known = new WeakMap<Model, string | undefined>();
  return [
    (model) => void known.set(model, namesOf(model, waiting)[0]),
    ...others.map((line) => (model: Model) => importLine(model, line, { tag: 'list' })),
    (model) => {
      importLine(model, waiting, { tag: 'list', before: known.get(model) ?? '' });
      last(model);
    },
  ];
}

/** What leaves a list: it loses the tag, and goes if it has no other. */
function leaveList(model: Model, tag: string, lines: readonly Line[]): void {
  for (const [name, proxy] of Object.entries(model.proxies)) {
    if (!proxy.tags.includes(tag)) continue;
    const isListed = lines.some(
      ({ port, username }) =>
        proxy.address === `http://h.example:${port}` && proxy.login?.username === username,
    );
    if (isListed) continue;
    proxy.tags = proxy.tags.filter((other) => other !== tag);
    if (proxy.tags.length === 0) remove(model, name);
  }
}

const protect = (to: KeyName): Action => ({
  run: async ({ db, encryption }) => encryption.protect(sourceNamed(to, db.path)),
  steps: [
    (model) => {
      needKey(model);
      model.key = to;
      model.pinned = sourceNamed(to, '').kind;
      if (to === 'file') model.hasFile = true;
    },
  ],
  isAsync: true,
});

/** The models whose first recovery code is void. */
const voided = new WeakSet<Model>();
/** The key that was restored. */
const recovered = new WeakMap<Model, KeyName>();

/** What a look at everything sees. */
export const seen: Step = ({ key: _, hasFile: __, ...content }) => structuredClone(content);

export const ACTIONS = {
  'look at everything': { run: read, steps: [seen] },
  'look for the first time': {
    run: ({ db }) => {
      const encryption = new EncryptionService({ keySource: sourceNamed('first', db.path), database: db });
      return encryption.status().keys.length > 0 && encryption.decrypt(encryption.encrypt('text'));
    },
    steps: [
      (model) => {
        needKey(model);
        return 'text';
      },
    ],
  },

  // All is under one key then, whatever a process with an older one has stored meanwhile.
  rotate: {
    run: async ({ encryption }) => {
      const { failures } = await encryption.rotate({ batchSize: 2 });
      return { failures, keys: encryption.status().keys.length };
    },
    steps: [needKey, () => ({ failures: [], keys: 1 })],
    isAsync: true,
  },
  'rotate, whatever is left': {
    run: async ({ encryption }) => (await encryption.rotate({ batchSize: 2 })).failures,
    steps: [needKey, () => []],
    isAsync: true,
  },
  'rotate and begin again': {
    run: async ({ encryption }) => {
      await encryption.rotate();
      const stop = new AbortController();
      const onProgress = (): void => stop.abort();
      await encryption.rotate({ batchSize: 1, signal: stop.signal, onProgress }).catch(() => undefined);
    },
    steps: [needKey, () => undefined],
    isAsync: true,
  },
  'rotate twice': {
    run: async ({ encryption }) =>
      [await encryption.rotate({ batchSize: 2 }), await encryption.rotate()].flatMap(
        ({ failures }) => failures,
      ),
    steps: [needKey, () => []],
    isAsync: true,
  },
  verify: {
    run: async ({ encryption }) => (await encryption.verify()).failures,
    steps: [needKey, () => []],
    isAsync: true,
  },
  open: {
    run: async ({ db }) => {
      const opened = await EncryptionService.open({ keySource: sourceNamed('first', db.path), database: db });
      return opened.status().rotation;
    },
    steps: [needKey, () => null],
    isAsync: true,
  },
  'move the key': protect('second'),
  'move the key elsewhere': protect('third'),
  'move the key into a file': protect('file'),
  /** A backup in the folder of the pool, which nobody has open. */
  restore: {
    run: async ({ db }) => {
      db.close();
      await restoreDatabase(join(dirname(db.path), 'backup.db'), db.path, {
        overwrite: true,
        busyTimeoutMs: 0,
      });
    },
    steps: [],
    isAsync: true,
  },
  'make a recovery code': {
    run: ({ encryption }) => typeof encryption.createRecoveryCode(),
    steps: [
      (model) => {
        needKey(model);
        voided.add(model);
        return 'string';
      },
    ],
  },
  recover: {
    run: async ({ db, code }) => {
      const keySource = sourceNamed('file', db.path);
      await EncryptionService.recover({ database: db, code, keySource });
    },
    steps: [
      (model) => {
        if (voided.has(model)) throw new Refusal('KEY_MISMATCH');
        recovered.set(model, model.key);
        model.pinned = 'key file';
        model.hasFile = true;
      },
      (model) => {
        // It opens the pool with the key that it has restored.
        if (recovered.get(model) !== model.key) throw new Refusal('KEY_MISMATCH');
      },
    ],
    mayThrow: 'BUSY',
    isAsync: true,
  },

  'store a login': {
    run: ({ credentials }) => credentials.store('p2', loginOf('stored')),
    steps: [setLogin('p2', loginOf('stored'))],
  },
  'store another login': {
    run: ({ credentials }) => credentials.store('p2', loginOf('other')),
    steps: [setLogin('p2', loginOf('other'))],
  },
  'save a password': {
    run: ({ encryption, credentials }) => credentials.save('p3', encryption.encrypt('saved')),
    steps: [setLogin('p3', { username: '', password: 'saved' })],
    mayThrow: 'KEY_MISMATCH',
  },
  'save what was encrypted before': {
    run: ({ credentials, early }) => credentials.save('p3', early as EncryptedData),
    steps: [setLogin('p3', { username: '', password: 'early' })],
    mayThrow: 'KEY_MISMATCH',
  },
  'move what is bound to no proxy': {
    run: ({ proxies }) => void proxies.update('p3', { host: 'moved.example' }),
    steps: [
      (model) => {
        needKey(model);
        proxyIn(model, 'p3').address = 'http://moved.example:3';
      },
    ],
  },
  'add one with a username of the pool': {
    run: ({ proxies }) => void proxies.create({ ...AT_P1, id: 'n3', name: 'n3' }),
    steps: [(model) => add(model, 'n3', { address: 'http://h.example:1', login: AT_P1.credentials })],
  },
  'put another in the place of one': {
    run: ({ db, proxies }) =>
      db.transaction(() => {
        proxies.delete('p1');
        proxies.create({ ...AT_P1, id: 'n4', name: 'n4' });
      }),
    steps: [
      (model) => {
        remove(model, 'p1');
        add(model, 'n4', { address: 'http://h.example:1', login: AT_P1.credentials });
      },
    ],
  },
  'remove a login': {
    run: ({ credentials }) => void credentials.delete('p2'),
    steps: [
      (model) => {
        if (model.proxies.p2) model.proxies.p2.login = null;
      },
    ],
  },
  'add a proxy': {
    run: ({ proxies }) =>
      void proxies.create({
        id: 'n1',
        name: 'n1',
        host: 'h.example',
        port: 50,
        protocol: 'http',
        credentials: { username: 'user-50', password: 'imported-50' },
      }),
    steps: [
      (model) =>
        add(model, 'n1', {
          address: 'http://h.example:50',
          login: { username: 'user-50', password: 'imported-50' },
        }),
    ],
  },
  'add the same proxy': {
    run: ({ proxies }) =>
      void proxies.create({
        id: 'n2',
        name: 'n2',
        host: 'h.example',
        port: 50,
        protocol: 'http',
        credentials: { username: 'user-50', password: 'imported-50' },
      }),
    steps: [
      (model) =>
        add(model, 'n2', {
          address: 'http://h.example:50',
          login: { username: 'user-50', password: 'imported-50' },
        }),
    ],
  },
  'move a proxy': {
    run: ({ proxies }) => void proxies.update('p2', { host: 'moved.example' }),
    steps: [
      (model) => {
        const proxy = proxyIn(model, 'p2');
        if (proxy.login) needKey(model);
        proxy.address = 'http://moved.example:2';
      },
    ],
  },
  'move it to another port': {
    run: ({ proxies }) => void proxies.update('p2', { port: 77 }),
    steps: [
      (model) => {
        const proxy = proxyIn(model, 'p2');
        if (proxy.login) needKey(model);
        proxy.address = `${proxy.address.replace(/\d+$/, '')}77`;
      },
    ],
  },
  'describe a proxy': {
    run: ({ proxies }) => void proxies.update('p2', { region: 'EU' }),
    steps: [
      (model) => {
        proxyIn(model, 'p2').region = 'EU';
      },
    ],
  },
  'remove a proxy': {
    run: ({ proxies }) => proxies.delete('p2'),
    steps: [
      (model) => {
        const wasThere = 'p2' in model.proxies;
        remove(model, 'p2');
        return wasThere;
      },
    ],
  },

  import: {
    run: async ({ db, encryption }) =>
      void (await importProxies(db, toText(LINES), { encryption, tag: 'list' })),
    steps: [(model) => void LINES.map((line) => importLine(model, line, { tag: 'list' }))],
    isAsync: true,
  },
  'import in batches': {
    run: async ({ db, encryption }) =>
      void (await importProxies(db, toText(LINES), { encryption, tag: 'list', batch: 1 })),
    steps: inBatches(),
    isAsync: true,
  },
  sync: {
    run: async ({ db, encryption }) =>
      void (await importProxies(db, toText(LINES), { encryption, tag: 'list', sync: true, maxRemove: 2 })),
    steps: [
      (model) => {
        for (const line of LINES) importLine(model, line, { tag: 'list' });
        leaveList(model, 'list', LINES);
      },
    ],
    isAsync: true,
  },
  'sync in batches': {
    run: async ({ db, encryption }) =>
      void (await importProxies(db, toText(LINES), {
        encryption,
        tag: 'list',
        sync: true,
        maxRemove: 2,
        batch: 1,
      })),
    steps: inBatches((model) => leaveList(model, 'list', LINES)),
    isAsync: true,
  },
  'import at once': {
    run: ({ proxies }) =>
      void proxies.importMany(
        LINES.map(({ port, ...credentials }) => ({ host: 'h.example', port, protocol: 'http', credentials })),
      ),
    steps: [(model) => void LINES.map((line) => importLine(model, line))],
  },
  'tag a proxy': {
    run: ({ tags }) => void tags.add('p3', 'mine', 'import-1'),
    steps: [
      (model) => {
        const proxy = model.proxies.p3;
        if (!proxy) throw new Refusal('CONSTRAINT');
        proxy.tags = [...new Set([...proxy.tags, 'mine'])].sort();
      },
    ],
  },
  'remove what left the list': {
    run: ({ tags }) => tags.removeOthers('list', 'import-1'),
    steps: [
      (model) => {
        const before = Object.keys(model.proxies).length;
        leaveList(model, 'list', []);
        return before - Object.keys(model.proxies).length;
      },
    ],
  },

  'count a success': {
    run: ({ proxies }) => proxies.updateStats('p1', true, 20),
    steps: [(model) => count(model, 'p1', true)],
  },
  'count a failure': {
    run: ({ proxies }) => proxies.updateStats('p1', false),
    steps: [(model) => count(model, 'p1', false)],
  },
  'report a failure': {
    run: ({ rotator }) => rotator.report('p1', { success: false }),
    steps: [
      (model) => {
        count(model, 'p1', false);
        // It has failed once already.
        const { failureThreshold } = model.config;
        const proxy = proxyIn(model, 'p1');
        if (failureThreshold === null || proxy.requests - 1 < failureThreshold || proxy.status !== 'active')
          return;
        proxy.status = 'failed';
        model.turn = 'somebody who is gone';
      },
    ],
  },
  'set the threshold': {
    run: ({ config }) => void config.update({ failureThreshold: 3 }),
    steps: [
      (model) => {
        model.config.failureThreshold = 3;
      },
    ],
  },
  'disable a proxy': {
    run: ({ proxies }) => void proxies.update('p1', { status: 'disabled' }),
    steps: [
      (model) => {
        proxyIn(model, 'p1').status = 'disabled';
      },
    ],
  },
  'hand out a proxy': { run: ({ rotator }) => rotator.next().name, steps: [next] },
  'hand out a sticky one': {
    run: ({ rotator }) => rotator.next({ domain: 'new.example' }).name,
    steps: [
      (model) => {
        const stuck = model.sticky['new.example'];
        if (stuck !== undefined) return stuck;
        const chosen = next(model);
        if (Object.hasOwn(model.config.options, 'stickyByDefault')) model.sticky['new.example'] = chosen;
        return chosen;
      },
    ],
  },
  'stick a domain': {
    run: ({ sticky }) => sticky.create({ domain: 'new.example', proxyId: 'p2' }),
    steps: [
      (model) => {
        proxyIn(model, 'p2');
        model.sticky['new.example'] = 'p2';
      },
    ],
  },
  'stick domains by default': {
    run: ({ config }) => void config.update({ options: { stickyByDefault: true } }),
    steps: [
      (model) => {
        model.config.options = { ...model.config.options, stickyByDefault: true };
      },
    ],
  },

  'set the strategy': {
    run: ({ config }) => config.setStrategy('round-robin'),
    steps: [
      (model) => {
        model.config.strategy = 'round-robin';
      },
    ],
  },
  'set the interval': {
    run: ({ config }) => void config.update({ intervalMs: 5 }),
    steps: [
      (model) => {
        model.config.intervalMs = 5;
      },
    ],
  },
  'set an option': {
    run: ({ config }) => void config.update({ options: { stickyTtlMs: 7 } }),
    steps: [
      (model) => {
        model.config.options = { ...model.config.options, stickyTtlMs: 7 };
      },
    ],
  },
  'order the rules': {
    run: ({ rules }) => rules.reorder(['c', 'b', 'a']),
    steps: [(model) => order(model, ['c', 'b', 'a'])],
  },
  'order them otherwise': {
    run: ({ rules }) => rules.reorder(['b', 'a', 'c']),
    steps: [(model) => order(model, ['b', 'a', 'c'])],
  },
  'remove a rule': {
    run: ({ rules }) => rules.delete('a'),
    steps: [
      (model) => {
        const wasThere = model.rules.includes('a');
        model.rules = model.rules.filter((name) => name !== 'a');
        return wasThere;
      },
    ],
  },
} satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;

function order(model: Model, names: string[]): void {
  if (names.some((name) => !model.rules.includes(name))) throw new Refusal('NOT_FOUND');
  model.rules = names;
}
