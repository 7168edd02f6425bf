import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { SCRATCH } from '../../test/faults/scratch.ts';

const TESTER = fileURLToPath(new URL('tester.js', import.meta.url));

/**
 * A copy of a checkout, uncommitted changes included, in which faults can be tried: your own files never change. It shares
 * the installed packages, and has its own caches and build, and a process that runs its tests.
 */
export class Checkout {
  /** @type {import('node:child_process').ChildProcess | null} */
  #tester = null;
  /** The source files that changed since the tests ran last. @type {string[]} */
  #changed = [];

  /** @param {string} source the root of the checkout to copy */
  constructor(source) {
    this.source = source;
    this.root = mkdtempSync(join(SCRATCH, 'proxyvault-mutants-'));
    /** What tests leave that were ended in the middle goes with the rest. */
    this.temporary = join(this.root, 'tmp');
  }

  /** Copies the files. Whatever happens, `remove` removes them. */
  fill() {
    // Some tests are another user, who comes this way.
    chmodSync(this.root, 0o711);
    mkdirSync(this.temporary);
    chmodSync(this.temporary, 0o1777);
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: this.source,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    for (const file of listed.split('\0'))
      if (statSync(join(this.source, file), { throwIfNoEntry: false })?.isFile()) this.#copy(file);
    const packages = join(this.source, 'node_modules');
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
    this.#changed.push(file);
  }

  /** Makes the file what it is in the source. @param {string} file */
  restore(file) {
    this.#copy(file);
    this.#changed.push(file);
  }

  /**
   * Runs tests until one fails. If they have not ended after `limitMs`, that is a failure too.
   *
   * @param {{ filters: string[], order: string[], limitMs: number }} what see tester.js
   * @returns {Promise<import('./tester.js').Verdict>}
   */
  async run({ filters, order, limitMs }) {
    this.#tester ??= this.#start();
    const tester = this.#tester;
    const over = new AbortController();
    const timer = setTimeout(() => this.#stop(), limitMs);
    tester.send({ filters, order, changed: this.#changed });
    this.#changed = [];
    const [verdict] = await Promise.race([
      once(tester, 'message', { signal: over.signal }),
      once(tester, 'exit', { signal: over.signal }).then(() => [null]),
    ]);
    clearTimeout(timer);
    over.abort();
    if (verdict !== null) return verdict;
    return { failed: { file: '.', test: 'the tests did not end' }, files: 1 };
  }

  remove() {
    this.#stop();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** @param {string} file */
  #copy(file) {
    const target = join(this.root, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(this.source, file), target);
  }

  #start() {
    const env = { ...process.env, TMPDIR: this.temporary };
    const tester = fork(TESTER, { cwd: this.root, env, stdio: 'ignore', detached: true });
    tester.once('exit', () => {
      this.#tester = null;
    });
    return tester;
  }

  /** Ends the process and those that the tests have started. */
  #stop() {
    if (this.#tester === null) return;
    if (process.platform === 'win32') this.#tester.kill();
    else process.kill(-this.#tester.pid, 'SIGKILL');
  }
}
