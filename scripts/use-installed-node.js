// Takes the development dependency `node` out of package.json and its lock, so that `npm ci` does not
// install it and every npm script runs on the Node that is installed. For CI on several versions of Node.
import { readFileSync, writeFileSync } from 'node:fs';

function edit(file, change) {
  const path = new URL(`../${file}`, import.meta.url);
  const content = JSON.parse(readFileSync(path, 'utf8'));
  change(content);
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}

edit('package.json', (manifest) => {
  delete manifest.devDependencies.node;
  delete manifest.allowScripts.node;
});
edit('package-lock.json', (lock) => {
  delete lock.packages[''].devDependencies.node;
  for (const path of Object.keys(lock.packages)) {
    if (/^node_modules\/node(?:-bin-setup)?(?:\/|$)/.test(path)) delete lock.packages[path];
  }
});
console.log(`npm scripts will run on Node ${process.versions.node}.`);
