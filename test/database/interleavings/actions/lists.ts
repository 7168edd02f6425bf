import { importProxies } from 'proxyvault';
import type { Model } from '../model.ts';
import { Refusal } from '../serial.ts';
import { type Action, add, needKey, proxyIn, remove, type Step } from './action.ts';

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

export const LIST_ACTIONS = {
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
} satisfies Record<string, Action>;
