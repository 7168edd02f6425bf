import { lines, Text, text, toJson, writeError } from './terminal.ts';

const MOST_SHOWN = 20;

/** The rows or proxies that a warning is about: the first of them, or all. */
interface Concerned<T> {
  /** Their name in JSON. */
  name: string;
  items: readonly T[];
  /** How many there are, if `items` are not all. */
  count?: number;
  /** JSON has so many of them; default 20, which a person is shown. */
  most?: number;
  /** One of them for a person. */
  describe: (item: T) => string;
}

/**
 * Warns on standard error: in a line for a person, and with --json as an object in a line,
 * `{"warning":{"code":"…","message":"…"}}`. docs/cli.md lists the codes.
 */
export function warn<T>(
  json: boolean | undefined,
  code: string,
  message: string,
  concerned?: Concerned<T>,
): void {
  const {
    name = '',
    items = [],
    count = items.length,
    most = MOST_SHOWN,
    describe = String,
  } = concerned ?? {};
  const shown = items.slice(0, MOST_SHOWN);
  if (json) {
    const facts = concerned ? { count, [name]: items.slice(0, most) } : {};
    writeError(Text.ours(`${toJson({ warning: { code, message, ...facts } })}\n`));
    return;
  }
  const more = count > shown.length ? [`... and ${count - shown.length} more`] : [];
  const list = [...shown.map(describe), ...more].map((item) => text`  ${item}`);
  writeError(text`${lines([text`Warning: ${message} (${code})`, ...list])}\n`);
}

/** Shows the warnings of the library and of Node in the same way; Node itself would print them as they are. */
export function warningListener(json: boolean): (warning: Error) => void {
  return (warning) => {
    const { name, message } = warning;
    if (name === 'DeprecationWarning' && process.noDeprecation) return;
    warn(json, 'code' in warning ? String(warning.code) : name, message);
  };
}
