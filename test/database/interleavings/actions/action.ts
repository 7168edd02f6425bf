/** An action, and what those of several areas do to the model. */
import type { ErrorCode } from 'proxyvault';
import type { Login } from 'proxyvault/database';
import type { Model, ModelProxy } from '../model.ts';
import type { Party } from '../party.ts';
import type * as serial from '../serial.ts';
import { Refusal } from '../serial.ts';

export type Step = serial.Step<Model>;

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

/** A turn may be that of a proxy that was removed. */
export const GONE = 'somebody who is gone';

export function needKey(model: Model): void {
  if (model.key !== 'first') throw new Refusal('KEY_MISMATCH');
}

export function proxyIn(model: Model, name: string): ModelProxy {
  const proxy = model.proxies[name];
  if (proxy === undefined) throw new Refusal('NOT_FOUND');
  return proxy;
}

const isSame = (a: ModelProxy, b: Pick<ModelProxy, 'address' | 'login'>): boolean =>
  a.address === b.address && JSON.stringify(a.login) === JSON.stringify(b.login);

export function add(
  model: Model,
  name: string,
  proxy: Pick<ModelProxy, 'address' | 'login'> & Partial<ModelProxy>,
): void {
  if (proxy.login) needKey(model);
  if (name in model.proxies || Object.values(model.proxies).some((other) => isSame(other, proxy)))
    throw new Refusal('CONFLICT');
  model.proxies[name] = { region: null, status: 'active', requests: 0, successes: 0, tags: [], ...proxy };
}

export function remove(model: Model, name: string): void {
  delete model.proxies[name];
  for (const [domain, proxy] of Object.entries(model.sticky)) if (proxy === name) delete model.sticky[domain];
  if (model.turn === name) model.turn = GONE;
}
