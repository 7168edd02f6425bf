import { table } from '../../../output.ts';
import { type Stage, served } from '../stage.ts';
import { line, say } from '../story.ts';

/** The session that the next chapter looks at too. */
export const CART = 'session-cart17';
const REQUESTS = 4;

/** Sessions keep their proxies, whatever the client speaks and asks. */
export async function sessions(stage: Stage, browserPort: number): Promise<void> {
  say(
    'A session keeps its proxy. The username names it; a browser, which has one login for each port, has a port',
  );
  const { port } = stage.gateway;
  const rows = [];
  for (const { username, at } of [
    { username: CART, at: port },
    { username: 'country-fr-session-cart18', at: port },
    { username: '', at: browserPort },
  ]) {
    const names = new Set<string>();
    for (let number = 0; number < REQUESTS; number++) {
      const url = number % 2 === 0 ? 'https://shop.example/cart' : 'http://news.example/';
      const { by } = await served(stage, { url, username, port: at, by: number < 2 ? 'http' : 'socks5' });
      names.add(by);
    }
    rows.push([
      username === '' ? 'none, at the port of the browser' : username,
      REQUESTS,
      [...names].join(', '),
    ]);
  }
  line(table(['USERNAME', 'REQUESTS', 'SERVED BY'], rows));
}
