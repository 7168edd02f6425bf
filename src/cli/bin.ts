#!/usr/bin/env node
import { nodeVersionProblem } from '../node-version.ts';
import { failureCodes } from './exit-codes.ts';
import { failClosed } from './no-proxy-url.ts';
import { wantsJson } from './read-arguments.ts';

const args = process.argv.slice(2);
failClosed(args);
const problem = nodeVersionProblem();
if (problem === null) {
  try {
    // Only now: an older Node would end in a segmentation fault.
    const { useCompileCache } = await import('./compile-cache.ts');
    useCompileCache();
    const { main, watchProcess } = await import('./main.ts');
    watchProcess(args);
    process.exitCode = await main(args);
  } catch (error) {
    const { reportError } = await import('./fail.ts');
    reportError(error, wantsJson(args), args);
    process.exitCode = failureCodes(args).failure;
  }
} else {
  console.error(
    wantsJson(args) ? JSON.stringify({ error: { code: 'UNSUPPORTED', message: problem } }) : problem,
  );
  process.exitCode = failureCodes(args).failure;
}
