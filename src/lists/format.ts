import { isDeepStrictEqual } from 'node:util';

import { MASK } from './mask.ts';
import type { ListedProxy } from './types.ts';
import { type ExportFormat, type LostPart, type ProxyWriter, writerOf } from './writers.ts';

export interface FormatOptions {
  /** Default `urls`. */
  format?: ExportFormat | undefined;
  /** Of the format `template`: a line with `{protocol}`, `{host}`, `{port}`, `{username}` and `{password}`. */
  layout?: string | undefined;
  /** Write usernames, passwords and change-IP URLs; else they are masked. */
  reveal?: boolean | undefined;
}

/**
 * A proxy as text, or why the format cannot carry it. `lost` has what the format leaves out of the proxy: its change-IP URL,
 * or that its client resolves names, after which an import has the proxy resolve them.
 */
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

  /** What stands before all proxies. */
  begin(): string {
    return this.#writer.begin;
  }

  /** A proxy and what separates it from the one before. Each is read back first, so that none comes back as another. */
  write(proxy: ListedProxy): Formatted {
    const problem = this.#problemOf(proxy);
    if (problem !== null) return { leftOut: problem };
    const separator = this.#isFirst ? '' : this.#writer.between;
    this.#isFirst = false;
    const text = separator + this.#writer.write(this.#reveal ? proxy : masked(proxy));
    return { text, lost: this.#lostOf(proxy) };
  }

  /** What stands after all proxies. */
  end(): string {
    return this.#isFirst && this.#writer.begin === '' ? '' : this.#writer.end;
  }

  #lostOf(proxy: ListedProxy): LostPart[] {
    const carried = this.#writer.carried(proxy);
    const lost: LostPart[] = [];
    // What is masked is not written anyway.
    if (this.#reveal && proxy.rotateUrl !== carried.rotateUrl) lost.push('rotateUrl');
    if (proxy.remoteDns === false && carried.remoteDns !== false) lost.push('remoteDns');
    return lost;
  }

  #problemOf(proxy: ListedProxy): string | null {
    const verdict = this.#writer.readBack(proxy);
    if (verdict?.kind === 'refused') return `an import would refuse it: ${verdict.reason}`;
    if (verdict?.kind !== 'proxy') return 'an import would take it for a comment';
    const { carried } = this.#writer;
    const isSame = isDeepStrictEqual(known(carried(verdict.proxy)), known(carried(proxy)));
    return isSame ? null : 'an import would read another proxy';
  }
}

function masked(proxy: ListedProxy): ListedProxy {
  const { username = '', password = '', rotateUrl } = proxy;
  const login = username === '' && password === '' ? {} : { username: MASK, password: MASK };
  return { ...proxy, ...login, ...(rotateUrl === undefined ? {} : { rotateUrl: MASK }) };
}

/** Without what is absent or empty. */
function known(proxy: Partial<ListedProxy>): object {
  return Object.fromEntries(Object.entries(proxy).filter(([, value]) => value !== undefined && value !== ''));
}
