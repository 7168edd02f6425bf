import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * A copy of a checkout, uncommitted changes included, in which faults can be tried: your own files never change. It shares
 * the installed packages, and has its own caches and build.
 */
export class Checkout {
  /** @param {string} source the root of the checkout to copy */
  constructor(source) {
    this.source = source;
    this.root = mkdtempSync(join(tmpdir(), 'proxyvault-mutants-'));
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: source,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    for (const file of listed.split('\0'))
      if (statSync(join(source, file), { throwIfNoEntry: false })?.isFile()) this.restore(file);
    const packages = join(source, 'node_modules');
    mkdirSync(join(this.root, 'node_modules'));
    for (const name of readdirSync(packages)) {
      if (name === '.bin' || !name.startsWith('.')) {
        symlinkSync(join(packages, name), join(this.root, 'node_modules', name), 'junction');
      }
    }
  }

  /** @param {string} file @param {string} text */
  write(file, text) {
    writeFileSync(join(this.root, file), text);
  }

  /** Makes the file what it is in the source. @param {string} file */
  restore(file) {
    const target = join(this.root, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(this.source, file), target);
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}
