#!/usr/bin/env node
import module from 'node:module';

import { nodeVersionProblem } from '../node-version.ts';

const problem = nodeVersionProblem();
if (problem === null) {
  // A command is short: a good part of it would be the compiling of its modules.
  module.enableCompileCache();
  // Only now: an older Node would end in a segmentation fault.
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error(problem);
  process.exitCode = 1;
}
