import type { ErrorDetails, ProxyVaultError } from '../errors.ts';
import { toJson, visible, writeError } from './terminal.ts';

const SHOWN = 20;

/** Collects the malformed rows that a command left out, and says so at its end on standard error. */
export class SkippedRows {
  readonly #rows = new Map<string, ErrorDetails>();

  add({ details }: ProxyVaultError): void {
    this.#rows.set(JSON.stringify([details.table, details.id, details.column]), details);
  }

  report(json: boolean): void {
    if (this.#rows.size === 0) return;
    const rows = [...this.#rows.values()];
    writeError(
      json ? `${toJson({ skippedRows: rows.slice(0, SHOWN), count: rows.length })}\n` : describe(rows),
    );
  }
}

function describe(rows: readonly ErrorDetails[]): string {
  const lines = rows.slice(0, SHOWN).map(({ table, id, column }) => {
    const place = [table, id].filter((part) => part !== null).join(' ');
    return `  ${visible(column === undefined ? place : `${place}, column ${String(column)}`)}`;
  });
  const more = rows.length - lines.length;
  return `Skipped ${rows.length} malformed ${rows.length === 1 ? 'row' : 'rows'}:\n${lines.join('\n')}\n${more > 0 ? `  ... and ${more} more\n` : ''}Run \`proxyvault check\` for what is wrong with them.\n`;
}
