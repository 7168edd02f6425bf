import { isDeepStrictEqual } from 'node:util';

import { MASK } from '../parts/mask.ts';
import { knownGeolocation } from '../record/geolocation.ts';
import type { LineVerdict, ListedProxy } from '../verdicts.ts';
import { type ExportFormat, type LostPart, type ProxyWriter, writerOf } from './proxy-writer.ts';

export interface FormatOptions {
  /** Default `urls`. */
  format?: ExportFormat | undefined;
  /** Of the format `template`: a line with `{protocol}`, `{host}`, `{port}`, `{username}` and `{password}`. */
  layout?: string | undefined;
  /** Write usernames, passwords and change-IP URLs; else they are masked. */
  reveal?: boolean | undefined;
}

/** A proxy as text with the parts that it leaves out, or why the format cannot carry the proxy. */
export type Formatted = { text: string; lost: readonly LostPart[] } | { leftOut: string };

/** Writes proxies as a list that an import reads back to the same proxies. */
export class ListFormatter {
  readonly #writer: ProxyWriter;
  readonly #reveal: boolean;
  #isFirst = true;

  constructor({ format = 'urls', layout, reveal = false }: FormatOptions = {}) {
    this.#writer = writerOf(format, layout);
    this.#reveal = reveal;
  }

  /**
   * The text before the first proxy.
   *
   * @example
   * const formatter = new ListFormatter({ format: 'csv' });
   * process.stdout.write(formatter.begin()); // the header
   */
  begin(): string {
    return this.#writer.begin;
  }

  /**
   * A proxy and what separates it from the one before. Each is read back first, so that an import never reads another proxy.
   *
   * @example
   * const formatter = new ListFormatter({ format: 'colon', reveal: true });
   * const proxy = { protocol: 'http', host: 'h.example', port: 80, username: 'me', password: 's3cret' } as const;
   * const formatted = formatter.write(proxy);
   * if ('text' in formatted) process.stdout.write(formatted.text); // h.example:80:me:s3cret
   */
  write(given: ListedProxy): Formatted {
    const proxy = withKnownPlace(given);
    const verdict = this.#writer.readBack(proxy);
    const back = verdict?.kind === 'proxy' ? verdict.proxy : null;
    const { carried } = this.#writer;
    if (back === null || !isDeepStrictEqual(known(carried(back)), known(carried(proxy))))
      return { leftOut: problemOf(verdict) };
    const separator = this.#isFirst ? '' : this.#writer.between;
    this.#isFirst = false;
    const text = separator + this.#writer.write(this.#reveal ? proxy : masked(proxy));
    return { text, lost: this.#lostOf(proxy, back) };
  }

  /**
   * The text after the last proxy.
   *
   * @example
   * const formatter = new ListFormatter({ format: 'json' });
   * const empty = formatter.begin() + formatter.end(); // a JSON array without elements
   */
  end(): string {
    return this.#isFirst && this.#writer.begin === '' ? '' : this.#writer.end;
  }

  #lostOf(proxy: ListedProxy, back: ListedProxy): LostPart[] {
    const lost: LostPart[] = [];
    // What is masked is not written anyway.
    if (this.#reveal && proxy.rotateUrl !== back.rotateUrl) lost.push('rotateUrl');
    // A layout with a scheme of its own may leave out that the proxy resolves names.
    if (proxy.remoteDns !== undefined && proxy.remoteDns !== back.remoteDns) lost.push('remoteDns');
    return lost;
  }
}

function problemOf(verdict: LineVerdict | undefined): string {
  if (verdict?.kind === 'refused') return `an import would refuse it: ${verdict.reason}`;
  return verdict?.kind === 'proxy'
    ? 'an import would read another proxy'
    : 'an import would take it for a comment';
}

/** A city such as `Unknown` and AS 0 say nothing, and an import reads nothing of them. */
function withKnownPlace(proxy: ListedProxy): ListedProxy {
  const { geolocation, ...rest } = proxy;
  const known = geolocation && knownGeolocation(geolocation);
  return known === undefined ? rest : { ...rest, geolocation: known };
}

function masked(proxy: ListedProxy): ListedProxy {
  const { username = '', password = '', rotateUrl } = proxy;
  const login = username === '' && password === '' ? {} : { username: MASK, password: MASK };
  return { ...proxy, ...login, ...(rotateUrl === undefined ? {} : { rotateUrl: MASK }) };
}

function known(proxy: Partial<ListedProxy>): object {
  return Object.fromEntries(Object.entries(proxy).filter(([, value]) => value !== undefined && value !== ''));
}
