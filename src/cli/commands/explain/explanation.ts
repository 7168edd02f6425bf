import type { ExplainedRule, Explanation } from '../../../rotation/index.ts';
import { type Column, fittedTable, terminalWidth } from '../../fitted-table.ts';
import { type Cell, details } from '../../output.ts';
import { lines, type Text, text } from '../../terminal.ts';
import { conditionText, valueText } from '../rules/condition-text.ts';
import { thenText } from '../rules/flags.ts';

type TracedCondition = ExplainedRule['conditions'][number];

const WIDTH = 12;

/** An explanation for a person, in the order in which things are decided. */
export function explanationText(explanation: Explanation): Text {
  const { rules, runnersUp } = explanation;
  const parts = [
    rules.length === 0 ? text`No rule is tried.` : rulesTable(rules),
    stepsTable(explanation),
    decisionOf(explanation),
    ...(runnersUp.length === 0 ? [] : [runnersUpTable(explanation)]),
  ];
  return lines(parts, '\n\n');
}

/** A line for each condition, since each may fail. */
function rulesTable(rules: readonly ExplainedRule[]): Text {
  const rows = rules.flatMap((rule) =>
    rule.conditions.map((condition, number) => ({ rule, condition, isFirst: number === 0 })),
  );
  const column = (
    head: string,
    cellOf: (row: (typeof rows)[number]) => Cell,
    giving: Pick<Column, 'least' | 'leaveOut'> = {},
  ): Column => ({ head, cells: rows.map(cellOf), ...giving });
  return fittedTable(
    [
      column('RULE', ({ rule }) => rule.name, { least: 8 }),
      column('PRIORITY', ({ rule }) => rule.priority, { leaveOut: 2 }),
      column('APPLIES', ({ rule }) => appliesText(rule)),
      column('CONDITION', ({ rule, condition, isFirst }) => conditionCell(rule, condition, isFirst), {
        least: 16,
      }),
      column('HOLDS', ({ condition }) => yesOrNo(condition.holds)),
      column('COMPARED WITH', ({ condition }) => factText(condition), { least: 13 }),
      column('THEN', ({ rule }) => thenText(rule), { least: 8, leaveOut: 1 }),
    ],
    terminalWidth(),
  );
}

function appliesText({ matches, applies }: ExplainedRule): string {
  return matches && !applies ? 'no: stopped' : yesOrNo(applies);
}

function conditionCell(
  { conditionLogic }: ExplainedRule,
  { condition }: TracedCondition,
  isFirst: boolean,
): string {
  return isFirst ? conditionText(condition) : `${conditionLogic} ${conditionText(condition)}`;
}

/** What the condition was compared with; null, which a table shows as `-`, if the request does not say. */
function factText({ condition: { field }, fact }: TracedCondition): string | null {
  if (fact === null) return null;
  return [fact]
    .flat()
    .map((each) => (typeof each === 'string' ? each : valueText(field, each)))
    .join(', ');
}

function stepsTable({ steps }: Explanation): Text {
  return fittedTable(
    [
      { head: 'FILTER', cells: steps.map(({ filter }) => filter), least: 12 },
      { head: 'LEFT OUT', cells: steps.map(({ excluded }) => excluded) },
      { head: 'LEFT', cells: steps.map(({ left }) => left) },
    ],
    terminalWidth(),
  );
}

function decisionOf({ proxy, reason, decidedBy, strategy, mapping, until }: Explanation): Text {
  return details(
    [
      ...(mapping === null ? [] : [[mapping.kind, `${mapping.name} keeps ${mapping.proxyId}`] as const]),
      ...(until === null ? [] : [['until', until] as const]),
      ['proxy', proxy === null ? null : `${proxy.id} ${proxy.name}`],
      ['reason', reason],
      ['decided by', decidedBy],
      ['strategy', strategy],
    ],
    WIDTH,
  );
}

function runnersUpTable({ runnersUp }: Explanation): Text {
  return fittedTable(
    [
      { head: 'RUNNER-UP', cells: runnersUp.map(({ proxy }) => proxy.id) },
      { head: 'NAME', cells: runnersUp.map(({ proxy }) => proxy.name), least: 12 },
      { head: 'WHAT IS KNOWN', cells: runnersUp.map(({ detail }) => detail), least: 13, leaveOut: 1 },
    ],
    terminalWidth(),
  );
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
