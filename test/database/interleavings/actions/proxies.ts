import type { EncryptedData, Login } from 'proxyvault/database';
import { type Action, add, loginOf, needKey, proxyIn, remove, type Step } from './action.ts';

function setLogin(name: string, login: Login | null): Step {
  return (model) => {
    if (login !== null) needKey(model);
    proxyIn(model, name).login = login;
  };
}

const AT_P1 = {
  host: 'h.example',
  port: 1,
  protocol: 'http' as const,
  credentials: { username: 'user-1', password: 'added' },
};

export const PROXY_ACTIONS = {
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
} satisfies Record<string, Action>;
