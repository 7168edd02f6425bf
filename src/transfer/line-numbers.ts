import { ProxyVaultError } from '../errors.ts';

/** Remembers which line each proxy of an import was on, so that an error can name it as a person would look for it. */
export class LineNumbers {
  readonly #lines: number[] = [];
  /** The lists' names, each with the index of its first proxy. */
  readonly #lists: { name: string | undefined; first: number }[] = [];

  add(name: string | undefined, line: number): void {
    if (this.#lists.at(-1)?.name !== name || this.#lists.length === 0)
      this.#lists.push({ name, first: this.#lines.length });
    this.#lines.push(line);
  }

  /** The line of the proxy with this index, and the name of its list. */
  placeOf(index: number): { line: number; name: string | undefined } | null {
    const line = this.#lines[index];
    if (line === undefined) return null;
    return { line, name: this.#lists.findLast(({ first }) => first <= index)?.name };
  }

  /** The error of a batch's proxy, which the repository counts from those that earlier batches have read. */
  locate(error: unknown, before: { read: number; stored: number }): unknown {
    if (!(error instanceof ProxyVaultError && error.cause instanceof ProxyVaultError)) return error;
    const index = before.read + Number(error.details.index);
    const found = this.placeOf(index);
    if (found === null) return error;
    const { line, name } = found;
    const place = name === undefined ? `Line ${line}` : `${name}, line ${line}`;
    const outcome =
      before.stored === 0
        ? 'Nothing was stored.'
        : `The ${before.stored} proxies of earlier batches stay stored.`;
    return new ProxyVaultError(error.code, `${place}: ${error.cause.message} ${outcome}`, {
      cause: error.cause,
      details: { ...error.details, index, line },
    });
  }
}
