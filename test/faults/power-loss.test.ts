/**
 * Power losses, in a strict model of a disk. A child works with the library (power-loss/stories.ts) while its file-system
 * calls are recorded (shim/file-calls.c); the model (power-loss/disk.ts) then makes disks that a power loss could have
 * left at any moment, and each is opened and held to what the child had acknowledged by then (verify.ts).
 *
 * The suite tries some hundred images. `PROXYVAULT_FAULTS=600 npm test -- test/faults/power-loss` tries them for ten minutes.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { BUDGET_MS, SEED, TIMEOUT_MS, tally, untilBudget } from './campaign.ts';
import { Expectation, type Line } from './facts.ts';
import { Disk, type Image, SURVIVALS } from './power-loss/disk.ts';
import { type Recorded, readRecording } from './power-loss/recording.ts';
import { Random } from './random.ts';
import { SCRATCH } from './scratch.ts';
import { compileShim } from './shim/compile.ts';
import { verifyRoot } from './verify.ts';

const STORIES = ['writes', 'keys', 'backups', 'migrations', 'imports', 'restores'] as const;
const CHILD = fileURLToPath(new URL('power-loss/stories.ts', import.meta.url));
const IMAGES = 40;
/** Of one recording; then a new one is made, with another seed. */
const IMAGES_OF_A_RECORDING = 2000;
/** One image in so many is checked in depth. */
const DEEP = 10;
const shim = compileShim();

function record(story: string, seed: number): Recorded[] {
  const folder = temporaryFolder(SCRATCH);
  const root = join(folder, 'root');
  const log = join(folder, 'log');
  mkdirSync(root);
  const { status, stderr } = spawnSync(process.execPath, [CHILD, story, root, String(seed)], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LD_PRELOAD: shim.path, FILE_CALLS_LOG: log, FILE_CALLS_ROOT: root },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return readRecording(log);
}

interface Loss {
  /** How many calls had happened. */
  at: number;
  image: Image;
  lines: Line[];
  name: string;
}

/**
 * Goes through a recording once, and loses the power at random moments of it, and as often right after something was
 * acknowledged or a file got its name: a sync that is missing shows for a few calls only.
 */
function* powerLosses(recording: readonly Recorded[], count: number, random: Random): Generator<Loss> {
  const telling = recording.flatMap(({ call }, index) =>
    ['acknowledge', 'rename', 'link'].includes(call) ? [index + 1] : [],
  );
  const moments = Array.from({ length: count }, (_, n) =>
    n % 2 === 0 ? random.below(recording.length + 1) : random.pick([0, ...telling]),
  ).sort((a, b) => a - b);
  const disk = new Disk(rootOf(recording));
  const lines: Line[] = [];
  let at = 0;
  for (const moment of moments) {
    for (; at < moment; at++) {
      const call = recording[at];
      if (call?.call === 'acknowledge') lines.push(JSON.parse(call.text) as Line);
      else if (call) disk.apply(call);
    }
    const survival = random.pick(SURVIVALS);
    const image = disk.imageAfterPowerLoss(survival, random);
    yield { at, image, lines: [...lines], name: `after ${at} calls, of what was not synced: ${survival}` };
  }
}

/** The folder that everything is in: the parent of the first that was made. */
function rootOf(recording: readonly Recorded[]): string {
  const first = recording.find((call) => call.call === 'mkdir');
  if (first?.call !== 'mkdir') throw new Error('The recording makes no folder.');
  return first.path.slice(0, first.path.lastIndexOf('/'));
}

function digestOf({ image, lines }: Loss): string {
  const hash = createHash('sha1').update(JSON.stringify(lines));
  for (const [path, content] of image) hash.update(`\0${path}\0`).update(content ?? '');
  return hash.digest('hex');
}

/** Writes an image into an empty folder. */
function materialize(image: Image, root: string): void {
  for (const [path, content] of image) {
    if (content === null) mkdirSync(join(root, path), { recursive: true, mode: 0o700 });
    else writeFileSync(join(root, path), content, { mode: 0o600 });
  }
}

async function verifyLoss({ image, lines }: Loss, deep: boolean): Promise<string[]> {
  const root = mkdtempSync(join(SCRATCH, 'proxyvault-image-'));
  try {
    materialize(image, root);
    return await verifyRoot(root, new Expectation(lines), deep);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

describe(`a power loss (seed ${SEED})`, () => {
  const totals = { tried: 0, failed: 0 };
  afterAll(() => {
    if (totals.tried > 0) tally({ part: 'power-loss images', ...totals });
  });

  it.for(STORIES)(
    'during %s loses nothing that was acknowledged',
    { timeout: TIMEOUT_MS },
    async (story, context) => {
      if (shim.problem) return context.skip(shim.problem);
      const seen = new Set<string>();
      const failures: string[] = [];
      const goOn = untilBudget(IMAGES, STORIES.length);
      const size = BUDGET_MS === null ? IMAGES : IMAGES_OF_A_RECORDING;
      for (let tries = 0, seed = SEED; goOn(tries); seed++) {
        const recording = record(story, seed);
        for (const loss of powerLosses(recording, size, new Random(seed))) {
          if (!goOn(tries)) break;
          tries++;
          const digest = digestOf(loss);
          if (seen.has(digest)) continue;
          seen.add(digest);
          const problems = await verifyLoss(loss, BUDGET_MS !== null || seen.size % DEEP === 0);
          totals.tried++;
          if (problems.length === 0) continue;
          totals.failed++;
          failures.push(`seed ${seed}, ${loss.name}: ${problems.slice(0, 3).join('; ')}`);
        }
      }
      expect(failures.slice(0, 20)).toEqual([]);
    },
  );
});
