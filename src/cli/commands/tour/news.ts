import type { Vault } from '../../../vault.ts';
import { partOf, whyOf } from '../../cooldown-text.ts';
import { table } from '../../output.ts';
import type { Text } from '../../terminal.ts';

/** What a pool tells of proxies that go out and come back. */
export class News {
  /** The names of the proxies that are out for everything. */
  readonly out = new Set<string>();
  readonly #rows: string[][] = [];
  readonly #since = performance.now();

  constructor({ pool }: Vault, nameOf: (id: string) => string) {
    pool.on('cooled', (event) => {
      const name = nameOf(event.proxyId);
      if (event.domain === null && event.session === null) this.out.add(name);
      this.#add(name, `out for ${partOf(event)}`, whyOf(event));
    });
    pool.on('recovered', (event) => {
      const name = nameOf(event.proxyId);
      if (event.domain === null && event.session === null) this.out.delete(name);
      this.#add(name, `back for ${partOf(event)}`, '');
    });
  }

  /** The last that was told, as a sentence's end. */
  get last(): string {
    const [, name, what, why] = this.#rows.at(-1) ?? [];
    return `${name} is ${what} (${why})`;
  }

  table(): Text {
    return table(['SECOND', 'PROXY', 'IS', 'BECAUSE OF'], this.#rows);
  }

  #add(name: string, what: string, why: string): void {
    const second = ((performance.now() - this.#since) / 1000).toFixed(1);
    this.#rows.push([second, name, what, why]);
  }
}
