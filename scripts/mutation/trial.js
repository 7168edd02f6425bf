// Runs tests in the current folder until one fails and tells the parent process which.
import { relative } from 'node:path';
import { BaseSequencer, startVitest } from 'vitest/node';

/**
 * Which test failed, if one did, and how many test files ran: none if the source does not build.
 *
 * @typedef {{ failed: { file: string, test: string } | null, files: number }} Verdict
 */

process.once('message', async (/** @type {{ filters: string[], order: string[] }} */ { filters, order }) => {
  /** @type {Verdict} */
  const verdict = { failed: null, files: 0 };
  const fail = (file, test) => {
    verdict.failed ??= { file: relative(process.cwd(), file).replaceAll('\\', '/'), test };
  };
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
  const place = (file) => {
    const name = relative(process.cwd(), file).replaceAll('\\', '/');
    const at = order.findIndex((part) => name.includes(part));
    return at === -1 ? order.length : at;
  };
  class NearestFirst extends BaseSequencer {
    async sort(specifications) {
      return specifications.toSorted((one, other) => place(one.moduleId) - place(other.moduleId));
    }
  }
  try {
    const vitest = await startVitest('test', filters, {
      root: process.cwd(),
      watch: false,
      bail: 1,
      maxWorkers: 1,
      reporters: [reporter],
      sequence: { sequencer: NearestFirst },
    });
    await vitest.close();
  } catch (error) {
    fail('.', error.message);
  }
  process.send(verdict, () => process.exit());
});
