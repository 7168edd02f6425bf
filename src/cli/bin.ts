#!/usr/bin/env node
import { nodeVersionProblem } from '../node-version.ts';

const problem = nodeVersionProblem();
if (problem === null) {
  // Only now: an older Node would end in a segmentation fault.
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error(problem);
  process.exitCode = 1;
}
