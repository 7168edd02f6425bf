// `npm start` shows the tour; `npm start -- ARGS` is the command line itself.
import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli/bin.js', import.meta.url);
if (existsSync(cli)) {
  if (process.argv.length === 2) process.argv.push('tour');
  await import(cli.href);
} else {
  console.error('The program is not built yet: run `npm ci` (or `npm run build`) first.');
  process.exitCode = 1;
}
