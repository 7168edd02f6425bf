import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { SCRATCH } from '../faults/scratch.ts';
import { inOtherProcess } from '../support/other-process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { inputOf } from './open-pool.ts';

const OUTCOMES = 500;

/** Acquires and reports, and then ends in some way. */
function script(path: string, ending: string): string {
  return `
    const vault = await openVault({ path: ${JSON.stringify(path)}, keyFile: ${JSON.stringify(`${path}.key`)} });
    for (let n = 0; n < ${OUTCOMES}; n++) vault.pool.tryAcquire().succeed({ latencyMs: 10 });
    ${ending}`;
}

/** What docs/durability.md advises. */
const ON_SIGTERM = `
    let reported = ${OUTCOMES};
    process.once('SIGTERM', async () => {
      clearInterval(work);
      await vault.close();
      console.log(reported);
      process.exit(143);
    });
    const work = setInterval(() => {
      vault.pool.tryAcquire().succeed({ latencyMs: 10 });
      reported++;
    }, 1);
    console.log('ready');`;

async function stored(
  ending: string,
): Promise<{ requests: unknown; ended: number | string; said: string[] }> {
  const path = join(temporaryFolder(SCRATCH), 'pool.db');
  const vault = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
  vault.proxies.createMany([inputOf(0), inputOf(1)]);
  vault.config.update({ options: { durability: { lossMs: 60_000 / (ending === '' ? 300 : 1) } } });
  await vault.close();
  const child = inOtherProcess(script(path, ending));
  if (ending === ON_SIGTERM) {
    await child.line();
    child.child.kill('SIGTERM');
  }
  const said = await child.rest();
  const ended = await child.ended();
  const db = new Database(path, { readonly: true });
  const requests = db.prepare('SELECT sum(total_requests) FROM proxies').pluck().get();
  db.close();
  return { requests, ended, said };
}

describe('outcomes of a process are all stored that', () => {
  it.each([
    ['closes its vault', 'await vault.close();', 0],
    ['closes its database', 'vault.database.close();', 0],
    ['exits after it has closed its vault', 'await vault.close(); process.exit(3);', 3],
    ['ends by itself, and closes nothing', '', 0],
  ])('%s', async (_how, ending, code) => {
    expect(await stored(ending)).toEqual({ requests: OUTCOMES, ended: code, said: [] });
  });

  it('closes its vault on SIGTERM', async () => {
    const { requests, ended, said } = await stored(ON_SIGTERM);
    expect({ ended, said }).toEqual({ ended: 143, said: [String(requests)] });
  });
});
