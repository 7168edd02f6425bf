import { formatProxyUrl } from '../lists/index.ts';
import type { ImportResult, NotePlace, Refusal, Removal } from '../transfer/index.ts';
import { table } from './output.ts';
import { lines, type Text, text } from './terminal.ts';
import { warn } from './warn.ts';

/** So many rejections, kinds of notes and leaving proxies are shown to a person. */
const MOST_SHOWN = 20;

/** What an import did, for a person. */
export function describeImport(result: ImportResult): Text {
  const { notes = {}, noteLines = {}, notesMore = 0, removal, dryRun } = result;
  const names = Object.keys(notes);
  const noted = names
    .slice(0, MOST_SHOWN)
    .map(
      (note) => `Note on ${notes[note]} (${describePlaces(noteLines[note] ?? [], notes[note])}): ${note}.`,
    );
  const hidden = names.slice(MOST_SHOWN).reduce((sum, note) => sum + (notes[note] ?? 0), notesMore);
  const others = hidden > 0 ? [`... and ${hidden} more notes; --json lists them.`] : [];
  const leaving = dryRun && removal ? [describeRemoval(removal)] : [];
  const dry = dryRun ? ['This was a dry run: nothing was changed.'] : [];
  const summary = lines([countsOf(result), ...noted, ...others, ...leaving, ...dry]);
  const rejected = result.refused.length + (result.refusedMore ?? 0);
  return rejected > 0 ? text`${summary}\n\n${rejectionTable(result.refused, rejected)}` : summary;
}

/** Shows what a sync that is stopped would remove; the error follows. */
export function warnOfStop(json: boolean | undefined, { proxies, leaving }: Removal): void {
  warn(
    json,
    'SYNC_STOPPED',
    `The sync would remove ${plural(leaving, 'proxy', 'proxies')} that left the list.`,
    {
      name: 'proxies',
      items: proxies,
      count: leaving,
      most: proxies.length,
      describe: describeLeaving,
    },
  );
}

function countsOf(result: ImportResult): string {
  const { added, updated, unchanged, removed, comments, blank } = result;
  const rejected = result.refused.length + (result.refusedMore ?? 0);
  const counts = [
    `${added} added`,
    `${updated} updated`,
    `${unchanged} unchanged`,
    ...(removed === undefined ? [] : [`${removed} removed`]),
    `${rejected} rejected`,
    plural(comments, 'comment', 'comments'),
    `${blank} blank`,
  ];
  return `${plural(result.lines, 'line', 'lines')}: ${counts.join(', ')}.`;
}

/** `lines 2, 5, …`, or `a.txt lines 2, 5; b.txt line 9`. */
function describePlaces(places: readonly NotePlace[], count = 0): string {
  const byFile = Map.groupBy(places, ({ file = '' }) => file);
  const described = [...byFile].map(([file, each]) => {
    const numbers = each.map(({ line }) => line).join(', ');
    return `${file === '' ? '' : `${file} `}${each.length === 1 ? 'line' : 'lines'} ${numbers}`;
  });
  return `${described.join('; ')}${count > places.length ? ', …' : ''}`;
}

function describeRemoval({ of, leaving, removed, proxies, stopped }: Removal): Text {
  const shown = proxies.slice(0, MOST_SHOWN).map((proxy) => text`  ${describeLeaving(proxy)}`);
  const more = leaving > shown.length ? [`  ... and ${leaving - shown.length} more`] : [];
  const kept = leaving === removed ? '' : `, of which ${leaving - removed} would stay for another tag`;
  return lines([
    `${leaving} of the ${of} proxies with the tag would be removed${kept}:`,
    ...shown,
    ...more,
    ...(stopped
      ? ['A real run would be stopped, since that is more than the limit: see --max-remove and --force.']
      : []),
  ]);
}

function describeLeaving({ id, stays, ...address }: Removal['proxies'][number]): string {
  return `${id} ${formatProxyUrl(address)}${stays ? ' (has another tag and stays)' : ''}`;
}

function rejectionTable(refused: readonly Refusal[], count: number): Text {
  const shown = refused.slice(0, MOST_SHOWN);
  const hasFiles = refused.some(({ file }) => file !== undefined);
  const rows = shown.map(({ file = '', line, column, reason, text }) => [
    ...(hasFiles ? [file] : []),
    ...[line, column, reason, text],
  ]);
  const head = [...(hasFiles ? ['FILE'] : []), 'LINE', 'COLUMN', 'REJECTED BECAUSE', 'TEXT (MASKED)'];
  const rest = count - shown.length;
  const more = rest > 0 ? [`... and ${rest} more; --json lists them.`] : [];
  return lines([table(head, rows), ...more]);
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
