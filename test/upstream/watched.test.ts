import { Socket } from 'node:net';
import { expect, it } from 'vitest';

import { watched } from '../../src/upstream/watched.ts';

const errorOf = ({ reason }: { reason: string }): Error => new Error(reason);
const forever = (): Promise<never> => new Promise(() => undefined);

it('an error of a socket that comes after its step has failed does not end the process', async () => {
  const socket = new Socket();
  const caller = new AbortController();
  const step = watched(socket, { ms: 60_000, signal: caller.signal, errorOf }, forever);
  await Promise.resolve();
  // In a microtask: the step is over before the socket tells its error.
  socket.destroy(new Error('told late'));
  caller.abort(new Error('left'));
  await expect(step).rejects.toThrow('left');
  await new Promise<void>((resolve) => void socket.once('close', () => resolve()));
});

it('a socket that failed in the turn in which its step was done is not given', async () => {
  const socket = new Socket();
  const step = watched(socket, { ms: 60_000, signal: undefined, errorOf }, async () => {
    await Promise.resolve();
    socket.destroy(new Error('told late'));
  });
  await expect(step).rejects.toThrow('closed');
});
