// Runs the tests of the current folder again and again in one process, as the parent process asks for them: until one fails.
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'tsdown';
import { BaseSequencer, createVitest } from 'vitest/node';

/**
 * What to run. `changed` has the source files that changed since the last time; `order` has parts of names of test files, and those that
 * come first in it run first.
 *
 * @typedef {{ filters: string[], order: string[], changed: string[] }} Request
 *
 * Which test failed, if one did, and how many test files ran: none if the source does not build.
 * @typedef {{ failed: { file: string, test: string } | null, files: number }} Verdict
 */

const root = process.cwd();
const nameOf = (/** @type {string} */ file) => relative(root, file).replaceAll('\\', '/');

/** @type {string[]} */
let order = [];
/** @type {Verdict} */
let verdict = { failed: null, files: 0 };

const place = (/** @type {string} */ file) => {
  const at = order.findIndex((part) => nameOf(file).includes(part));
  return at === -1 ? order.length : at;
};

class NearestFirst extends BaseSequencer {
  async sort(specifications) {
    return specifications.toSorted((one, other) => place(one.moduleId) - place(other.moduleId));
  }
}

function fail(file, test) {
  verdict.failed ??= { file: nameOf(file), test };
}

const reporter = {
  onTestCaseResult(test) {
    if (test.result().state === 'failed') fail(test.module.moduleId, test.fullName);
  },
  onTestModuleEnd(module) {
    verdict.files++;
    const errors = [
      ...module.errors(),
      ...[...module.children.allSuites()].flatMap((suite) => suite.errors()),
    ];
    if (errors.length > 0) fail(module.moduleId, errors[0].message);
  },
  onTestRunEnd(_modules, errors) {
    if (errors.length > 0) fail('.', errors[0].message);
  },
};

const vitest = await createVitest('test', {
  watch: false,
  bail: 1,
  maxWorkers: 1,
  reporters: [reporter],
  sequence: { sequencer: NearestFirst },
});

process.on('message', async (/** @type {Request} */ request) => {
  verdict = { failed: null, files: 0 };
  order = request.order;
  try {
    if (request.changed.length > 0) await rebuild(request.changed);
    vitest.state.clearErrors();
    const specifications = await vitest.globTestSpecifications(request.filters);
    await vitest.runTestSpecifications(specifications, false);
  } catch {
    // The source does not build: no test file has run.
  }
  process.send(verdict);
});

/** Processes of the tests run the built package. The declarations are of no interest to them. */
async function rebuild(changed) {
  for (const file of changed) vitest.invalidateFile(join(root, file));
  await build({ dts: false, clean: false, logLevel: 'silent' });
  const { bundleWriter } = await import(pathToFileURL(join(root, 'test/build.setup.ts')).href);
  await bundleWriter();
}
