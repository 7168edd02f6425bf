import type { Model } from '../model.ts';
import { Refusal } from '../serial.ts';
import { type Action, GONE, proxyIn, type Step } from './action.ts';

function count(model: Model, name: string, isSuccess: boolean): void {
  const proxy = proxyIn(model, name);
  proxy.requests++;
  if (isSuccess) proxy.successes++;
}

/** What those who choose at one time have seen, the last one last. */
const choices: { active: string[]; sticks: boolean; stuck: string | undefined; name: string }[] = [];

function current(): (typeof choices)[number] {
  const choice = choices.at(-1);
  if (choice === undefined) throw new Error('nobody chooses');
  return choice;
}

/** A choice reads the pool, the mapping and the turn; it decides in memory; then it stores the mapping, and the turn. */
function choiceFor(domain: string | null): Step[] {
  return [
    (model) => {
      const active = Object.keys(model.proxies).filter((name) => proxyIn(model, name).status === 'active');
      if (active.length === 0) throw new Refusal('NO_PROXY');
      const sticks = domain !== null && Object.hasOwn(model.config.options, 'stickyByDefault');
      choices.push({ active: active.sort(), sticks, stuck: undefined, name: '' });
    },
    (model) => {
      if (domain !== null) current().stuck = model.sticky[domain];
    },
    (model) => {
      const { active, stuck } = current();
      current().name = stuck ?? active.find((name) => name > (model.turn ?? '')) ?? active[0] ?? '';
    },
    (model) => {
      const { sticks, stuck, name } = current();
      if (domain !== null && sticks && stuck === undefined) model.sticky[domain] = name;
    },
    (model) => {
      const { stuck, name } = current();
      choices.pop();
      if (stuck === undefined) model.turn = name in model.proxies ? name : GONE;
      return name;
    },
  ];
}

function order(model: Model, names: string[]): void {
  if (names.some((name) => !model.rules.includes(name))) throw new Refusal('NOT_FOUND');
  model.rules = names;
}

export const ROTATION_ACTIONS = {
  'count a success': {
    run: ({ proxies }) => proxies.updateStats('p1', true, 20),
    steps: [(model) => count(model, 'p1', true)],
  },
  'count a failure': {
    run: ({ proxies }) => proxies.updateStats('p1', false),
    steps: [(model) => count(model, 'p1', false)],
  },
  'report a failure': {
    run: ({ pool }) => pool.report('p1', { success: false }),
    steps: [
      (model) => {
        count(model, 'p1', false);
        // It has failed once already.
        const { failureThreshold } = model.config;
        const proxy = proxyIn(model, 'p1');
        if (failureThreshold === null || proxy.requests - 1 < failureThreshold || proxy.status !== 'active')
          return;
        proxy.status = 'failed';
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
  'hand out a proxy': { run: ({ pool }) => pool.choose().id, steps: choiceFor(null) },
  'hand out a sticky one': {
    run: ({ pool }) => pool.choose({ domain: 'new.example' }).id,
    steps: choiceFor('new.example'),
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
