import type { KeyStatus } from '../../../database/services/index.ts';
import { poolCommand } from '../../command.ts';
import type { CommonOptions } from '../../common-options.ts';
import { EXIT } from '../../exit-codes.ts';
import { keySourceOf, passphraseFileOf } from '../../open-vault.ts';
import { print, table } from '../../output.ts';
import { lines, type Text } from '../../terminal.ts';

export const statusCommand = poolCommand({
  name: 'status',
  purpose:
    'where the key comes from, how it is protected, and what each key encrypts; exit 1 if it does not fit',
  reads: true,
  example: 'proxyvault key status',
  async run({ keys }, options) {
    if (!isLockedToUs(options)) await keys.unlock();
    const status = keys.status();
    print(options.json, status, () => describe(status));
    if (status.problem !== null) process.exitCode = EXIT.failure;
  },
});

/** Whether somebody would have to be asked, or only another program can open the key. */
function isLockedToUs(options: CommonOptions): boolean {
  const protection = keySourceOf(options).protection?.();
  if (protection === 'passphrase') return passphraseFileOf(options) === undefined;
  return protection === 'safe-storage';
}

function describe(status: KeyStatus): Text {
  const { source, locked, sourceProblem, problem, databaseId, keys, direct } = status;
  const { unbound, oldBinding, rotation, recoveryCode, advice } = status;
  const facts = [
    ['Source', `${source.kind}: ${source.location}`],
    ['Protected by', source.protection ?? '-'],
    ['Problem', problem ?? (locked ? 'locked, not tried' : 'none')],
    ['Database', databaseId ?? 'no credential yet'],
    ['Recovery code', recoveryCode ? 'made' : 'none'],
    ['Unbound rows', String(unbound)],
    ['Old binding', String(oldBinding)],
    ['Rotation', rotation ? `to ${rotation.keyId}, ${rotation.left} credentials left` : 'none under way'],
  ].map(([name = '', value]) => `${name.padEnd(15)}${value}`);
  const rows = [
    ...keys.map(({ keyId, state, messageCount, rows, createdAt, problem }) => [
      keyId,
      state,
      messageCount,
      rows,
      createdAt,
      problem && (locked ? 'locked' : problem === sourceProblem ? 'not checked' : problem),
    ]),
    ...direct.map(({ keyId, rows }) => [keyId ?? 'not named', 'source’s own', null, rows, null, null]),
  ];
  const list =
    rows.length === 0 ? [] : [table(['KEY', 'STATE', 'MESSAGES', 'ROWS', 'CREATED', 'PROBLEM'], rows)];
  return lines([lines(facts), ...list, ...advice], '\n\n');
}
