import type { ErrorDetails, ProxyVaultError } from '../errors.ts';
import { warn } from './warn.ts';

/** Collects the malformed rows that a command left out, and warns of them at its end. */
export class SkippedRows {
  readonly #rows = new Map<string, ErrorDetails>();

  add({ details }: ProxyVaultError): void {
    this.#rows.set(JSON.stringify([details.table, details.id, details.column]), details);
  }

  report(json: boolean): void {
    const items = [...this.#rows.values()];
    if (items.length === 0) return;
    const message = `Skipped ${items.length} malformed ${items.length === 1 ? 'row' : 'rows'}: run \`proxyvault check\` for what is wrong.`;
    warn(json, 'SKIPPED_ROWS', message, { name: 'rows', items, describe });
  }
}

function describe({ table, id, column }: ErrorDetails): string {
  const place = [table, id].filter((part) => part !== null).join(' ');
  return column === undefined ? place : `${place}, column ${String(column)}`;
}
