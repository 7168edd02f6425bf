import { readCells } from './columns.ts';
import { acceptProxy } from './line.ts';
import { requireScheme, unnamedScheme } from './protocol.ts';
import { verdictOf } from './refused.ts';
import type { LineVerdict, ParseOptions } from './types.ts';

/** Reads the cells of a row without a header, by their order. */
export function readRow(cells: readonly string[], options: ParseOptions): LineVerdict {
  return verdictOf(() => {
    const { scheme, note, ...proxy } = readCells(cells);
    const { note: schemeNote, ...named } =
      scheme === undefined ? unnamedScheme(options) : requireScheme(scheme);
    return acceptProxy({ ...named, ...proxy }, [schemeNote, note]);
  });
}
