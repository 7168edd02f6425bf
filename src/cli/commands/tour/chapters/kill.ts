import { once } from 'node:events';

import { lines } from '../../../terminal.ts';
import { ask, tunnel } from '../client.ts';
import { type Stage, served } from '../stage.ts';
import { line, say } from '../story.ts';
import { CART } from './sessions.ts';

const REQUESTS = 300;
/** So many of them run at a time, and a proxy is killed after so many. */
const AT_ONCE = 25;
const KILLED_AFTER = 100;

/** A proxy that has a session, an open tunnel and many requests is killed. */
export async function kill(stage: Stage): Promise<void> {
  const { gateway, world, recorder, nameOf } = stage;
  const cart = { url: 'https://shop.example/cart', username: CART, port: gateway.port };
  const { by: victim } = await served(stage, cart);
  say(
    `${REQUESTS} requests, ${AT_ONCE} at a time. After ${KILLED_AFTER} of them ${victim}, which has the session, is killed`,
  );
  const first = recorder.logs.length;
  const { socket } = await tunnel({ host: 'shop.example', port: 443 }, 'http', CART, gateway.port);
  const closed = once(socket.on('error', () => undefined).resume(), 'close');
  let begun = 0;
  let ok = 0;
  let broken = 0;
  const client = async (): Promise<void> => {
    while (begun < REQUESTS) {
      const asked = { url: `http://news.example/${++begun}`, port: gateway.port };
      const status = await ask(asked).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) ok++;
      else broken++;
      if (ok === KILLED_AFTER) world.upstream(victim).kill();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  await closed;
  // Each request has a line, and so has the tunnel.
  await recorder.line(first + REQUESTS);
  const failovers = recorder.logs
    .slice(first)
    .filter(({ outcome, tried = [] }) => outcome === 'ok' && tried.length > 0);
  const dead = new Set(failovers.flatMap(({ tried = [] }) => tried.map(({ proxy }) => nameOf(proxy))));
  const { by: next } = await served(stage, cart);
  const { by: again } = await served(stage, cart);
  line(
    lines([
      `${ok} of ${REQUESTS} were answered with 200, ${broken} were not. ${failovers.length} came to ${[...dead].join(', ')} first, and another proxy served them.`,
      `A tunnel that was open through ${victim} is closed: what went through it cannot be sent twice.`,
      `The session moved from ${victim} to ${next}${next === again ? ', and keeps it' : ''}.`,
    ]),
  );
}
