import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Child processes of the tests run what users run, the built package, so build it from today's source. */
export default function build(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
}
