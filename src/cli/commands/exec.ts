import { Argument, type Command, InvalidArgumentError, Option } from 'commander';

import { bareCommand } from '../command.ts';
import { EXEC_EXIT, EXIT } from '../exit-codes.ts';
import { reportError } from '../fail.ts';
import { type HandOutOptions, handOut, withHandOutOptions } from '../hand-out.ts';
import { withVault } from '../open-vault.ts';
import { proxyEnvironment } from '../proxy-environment.ts';
import { runCommand } from '../run-command.ts';
import { warn } from '../warn.ts';

interface ExecOptions extends HandOutOptions {
  keepNoProxy?: boolean;
  report: boolean;
  okExit: number[];
}

const PLACEHOLDER = '{proxy}';

export const execCommand = bareCommand({
  name: 'exec',
  key: 'always',
  purpose: 'run a command through a proxy, and report by its exit code how that went; never without a proxy',
  example: 'proxyvault exec --domain example.com -- curl --fail https://example.com/',
  notes: `The command finds the proxy in http_proxy, https_proxy, ftp_proxy and all_proxy, in small and capital letters, and no
NO_PROXY. A command that does not look at these variables connects directly: give it ${PLACEHOLDER} as it wants it.

Exit codes: the command's own, or 128 and the number of the signal that ended it; 127 it was not found, 126 it could not
be started, 125 there was no proxy, or proxyvault failed in another way: then the command was not run.`,
  takes: (command) =>
    withHandOutOptions(
      command
        .addArgument(new Argument('<command>', 'the program to run').argParser(commandName))
        .argument('[args...]', `${PLACEHOLDER} in them becomes the URL, which lists of processes then show`)
        .passThroughOptions(),
    )
      .option('--keep-no-proxy', 'keep NO_PROXY: what it names is connected directly')
      .addOption(
        new Option(
          '--ok-exit <codes>',
          'exit codes besides 0 that are not the fault of the proxy, such as 22,56',
        )
          .argParser(exitCodes)
          .default([], 'none'),
      )
      .option('--no-report', 'do not report how it went'),
  act: run,
});

async function run(options: ExecOptions, _: Command, command: string, args: string[]): Promise<void> {
  const { id, url, hasCredentials } = await handOut({ ...options, reveal: true });
  if (hasCredentials && args.some((arg) => arg.includes(PLACEHOLDER)))
    warn(
      options.json,
      'LOGIN_VISIBLE',
      `${PLACEHOLDER} shows the login to whoever can list processes: prefer the variables.`,
    );
  const ended = await runCommand(
    command,
    args.map((arg) => arg.replaceAll(PLACEHOLDER, () => url)),
    proxyEnvironment(url, { keepNoProxy: options.keepNoProxy }),
  );
  process.exitCode = ended.code;
  if ('error' in ended) reportError(ended.error, options.json === true);
  else if (options.report) await report(id, ended.code, options);
}

/** Reports how the command did. If the report fails, the exit code is still that of the command. */
async function report(id: string, code: number, options: ExecOptions): Promise<void> {
  const success = code === EXIT.ok || options.okExit.includes(code);
  // A shell has these when it could not start something, or was interrupted: that says nothing of the proxy.
  if (!success && code >= EXEC_EXIT.notExecutable) return;
  try {
    await withVault({ ...options, quiet: true }, ({ pool }) => pool.report(id, { success }));
  } catch (error) {
    reportError(error, options.json === true);
  }
}

/** An unset variable gives an empty argument. A URL in place of the command may have a login, and is not repeated. */
function commandName(text: string): string {
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(text))
    throw new InvalidArgumentError('It must be a command, and not a URL.');
  if (text !== '') return text;
  throw new InvalidArgumentError('The command to run is missing.');
}

function exitCodes(text: string): number[] {
  const codes = text.split(',').map((part) => (/^\d{1,3}$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (codes.every((code) => code <= 255)) return codes;
  throw new InvalidArgumentError('It must be numbers from 0 to 255, with commas between.');
}
