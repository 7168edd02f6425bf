/** Every operation of several statements, and what another process could do between two of them. */
import { ANY, WRITES } from '../../support/interleaving.ts';
import type { ActionName } from './actions/actions.ts';

interface Story {
  first: ActionName;
  /** Others that may come before any statement, so between any two things that are read. */
  anywhere?: readonly ActionName[];
  /** Others that may come before any statement that writes. */
  atWrites?: readonly ActionName[];
}

const STORIES: readonly Story[] = [
  {
    first: 'rotate',
    anywhere: ['rotate twice', 'move the key'],
    atWrites: [
      'rotate',
      'store a login',
      'save a password',
      'remove a login',
      'remove a proxy',
      'move a proxy',
      'move what is bound to no proxy',
      'add a proxy',
      'import at once',
      'make a recovery code',
      'move the key into a file',
      'open',
    ],
  },
  {
    first: 'rotate, whatever is left',
    atWrites: ['save what was encrypted before', 'rotate and begin again'],
  },
  { first: 'verify', anywhere: ['rotate'], atWrites: ['move the key', 'store a login', 'remove a proxy'] },
  { first: 'open', anywhere: ['rotate'], atWrites: ['move the key', 'store a login'] },
  {
    first: 'move the key',
    anywhere: ['rotate', 'move the key elsewhere'],
    atWrites: [
      'move the key',
      'store a login',
      'save a password',
      'move a proxy',
      'make a recovery code',
      'import',
    ],
  },
  {
    first: 'move the key into a file',
    anywhere: ['rotate'],
    atWrites: ['move the key', 'store a login', 'make a recovery code'],
  },
  {
    first: 'make a recovery code',
    anywhere: ['rotate', 'move the key'],
    atWrites: ['store a login', 'make a recovery code'],
  },
  {
    first: 'recover',
    anywhere: ['move the key'],
    atWrites: ['rotate', 'make a recovery code', 'store a login'],
  },
  {
    first: 'store a login',
    anywhere: ['rotate twice', 'move the key'],
    atWrites: ['store another login', 'remove a login', 'remove a proxy', 'move a proxy', 'import at once'],
  },
  { first: 'save a password', anywhere: ['rotate twice', 'move the key'], atWrites: ['remove a proxy'] },
  { first: 'remove a login', atWrites: ['rotate', 'store a login', 'move a proxy', 'remove a proxy'] },
  {
    first: 'add a proxy',
    anywhere: ['rotate'],
    atWrites: ['move the key', 'add the same proxy', 'import at once'],
  },
  {
    first: 'move a proxy',
    anywhere: ['rotate', 'move the key'],
    atWrites: [
      'store a login',
      'remove a login',
      'move it to another port',
      'describe a proxy',
      'remove a proxy',
    ],
  },
  {
    first: 'remove a proxy',
    atWrites: ['store a login', 'move a proxy', 'stick a domain', 'count a success'],
  },
  {
    first: 'import',
    anywhere: ['rotate'],
    atWrites: [
      'move the key',
      'add the same proxy',
      'remove a proxy',
      'store a login',
      'tag a proxy',
      'import',
    ],
  },
  {
    first: 'import in batches',
    atWrites: [
      'rotate',
      'add the same proxy',
      'tag a proxy',
      'add one with a username of the pool',
      'put another in the place of one',
      'remove a proxy',
    ],
  },
  { first: 'sync', atWrites: ['tag a proxy', 'add the same proxy', 'rotate', 'sync'] },
  { first: 'sync in batches', atWrites: ['tag a proxy'] },
  { first: 'import at once', anywhere: ['rotate'], atWrites: ['add the same proxy', 'store a login'] },
  { first: 'remove what left the list', anywhere: ['tag a proxy'] },
  { first: 'count a success', anywhere: ['count a failure', 'remove a proxy'] },
  {
    first: 'report a failure',
    anywhere: ['count a failure', 'report a failure', 'set the threshold', 'disable a proxy'],
  },
  { first: 'hand out a proxy', anywhere: ['hand out a proxy', 'disable a proxy', 'remove a proxy'] },
  {
    first: 'hand out a sticky one',
    anywhere: ['hand out a sticky one', 'stick a domain', 'stick domains by default', 'remove a proxy'],
  },
  { first: 'look at everything', anywhere: ['remove a proxy', 'set the interval'] },
  { first: 'set the interval', anywhere: ['set an option', 'set the threshold', 'set the strategy'] },
  { first: 'order the rules', anywhere: ['order them otherwise', 'remove a rule'] },
];

/** The cheapest stories first. */
export const CASES = STORIES.toReversed().flatMap(({ first, anywhere = [], atWrites = [] }) => [
  ...anywhere.map((other) => ({ first, other, where: 'before any statement', of: ANY })),
  ...atWrites.map((other) => ({ first, other, where: 'before any write', of: WRITES })),
]);

export const OPERATIONS: readonly ActionName[] = STORIES.map(({ first }) => first);
