import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { BIN, commandLine } from './command-line.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A file that a page has its reader save, or a command with what the page says that it prints. */
type Step =
  | { kind: 'file'; name: string; code: string }
  | { kind: 'command'; command: string; printed: string };

export interface Shown {
  command: string;
  status: number | null;
  stdout: string;
  stderr: string;
  /** What the page says that the command prints. Empty if it shows nothing. */
  printed: string;
}

/** What a reader does from top to bottom: code blocks that begin with `// NAME`, and console blocks with `$ COMMAND`. */
function stepsOf(page: string): Step[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, language, block = '']): Step[] => {
    if (language === 'console') return commandsOf(block);
    const [, name] = /^\/\/ ([\w-]+\.mjs)\n/.exec(block) ?? [];
    return name === undefined ? [] : [{ kind: 'file', name, code: block }];
  });
}

function commandsOf(block: string): Step[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((shown) => {
      const [command = '', ...printed] = shown.trimEnd().split('\n');
      return { kind: 'command', command, printed: printed.join('\n') };
    });
}

/** Does what the page says in a folder of its own, which has the package and `undici` installed. npm itself is not run. */
export async function followPage(page: string, more: NodeJS.ProcessEnv = {}): Promise<Shown[]> {
  const { folder, env: own } = commandLine();
  const env = { ...own, ...more };
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/proxyvault'));
  symlinkSync(join(ROOT, 'node_modules/undici'), join(folder, 'node_modules/undici'));
  mkdirSync(join(folder, 'bin'));
  const bin = join(folder, 'bin/proxyvault');
  writeFileSync(bin, `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
  chmodSync(bin, 0o755);
  const path = [dirname(bin), dirname(process.execPath), env.PATH].join(delimiter);
  const shown: Shown[] = [];
  for (const step of stepsOf(page)) {
    if (step.kind === 'file') writeFileSync(join(folder, step.name), step.code);
    else if (!step.command.startsWith('npm '))
      shown.push({ ...step, ...(await runInShell(step.command, folder, { ...env, PATH: path })) });
  }
  return shown;
}

async function runInShell(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<Pick<Shown, 'status' | 'stdout' | 'stderr'>> {
  const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await ended, stdout, stderr };
}

export function readPage(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}
