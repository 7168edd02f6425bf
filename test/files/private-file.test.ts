import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownMark } from '../../src/files/owner.ts';
import { PrivateFile } from '../../src/files/private-file.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

it('a private file removes what killed processes have left of others, which may hold passwords', () => {
  const folder = temporaryFolder();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const place = ownMark().split('-', 2).join('-');
  const living = `.living.${ownMark()}.0123456789ab.tmp`;
  const foreign = '.foreign.0123456789ab.tmp';
  for (const name of [living, foreign, `.other.json.${place}-${pid}-1.0123456789ab.tmp`])
    writeFileSync(join(folder, name), 'left');
  {
    using file = new PrivateFile(join(folder, 'list.json'));
    file.write('text');
    file.publish();
  }
  {
    using dropped = new PrivateFile(join(folder, 'dropped'));
    dropped.write('text');
  }
  expect(readdirSync(folder).sort()).toEqual([foreign, living, 'list.json'].sort());
  expect(readFileSync(join(folder, 'list.json'), 'utf8')).toBe('text');
  expect(thrownBy(() => new PrivateFile(join(folder, 'list.json')))).toMatchObject({ code: 'CONFLICT' });
});

it('a private file that has its name is not written to', () => {
  const path = join(temporaryFolder(), 'list.json');
  using file = new PrivateFile(path);
  file.write('text');
  file.publish();
  expect(() => file.write('more')).toThrow(RangeError);
  expect(readFileSync(path, 'utf8')).toBe('text');
});
