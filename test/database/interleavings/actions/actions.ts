/**
 * What a process can do to a pool, through the public API, and what that is to the model.
 *
 * To add one: an entry in the actions of its area. The template pool is made by `makeTemplate`.
 */
import { read } from '../model.ts';
import type { Action, Step } from './action.ts';
import { KEY_ACTIONS } from './keys.ts';
import { LIST_ACTIONS } from './lists.ts';
import { PROXY_ACTIONS } from './proxies.ts';
import { ROTATION_ACTIONS } from './rotation.ts';

/** What a look at everything sees. */
export const seen: Step = ({ key: _, hasFile: __, ...content }) => structuredClone(content);

export const ACTIONS = {
  'look at everything': { run: read, steps: [seen] },
  ...KEY_ACTIONS,
  ...PROXY_ACTIONS,
  ...LIST_ACTIONS,
  ...ROTATION_ACTIONS,
} satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;
