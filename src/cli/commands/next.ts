import { duration } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import { withHandOutOptions } from '../hand-out.ts';
import { printHandOut } from '../print-hand-out.ts';

export const nextCommand = bareCommand({
  name: 'next',
  purpose:
    'hand out a proxy by the configured strategy, and print its URL; on failure print a URL that never connects',
  example:
    'proxy=$(proxyvault next --domain example.com --reveal) && curl --proxy "$proxy" https://example.com/',
  notes: `Keep the &&: without it a client gets an empty proxy if this command is mistyped or killed, and connects directly.
\`proxyvault exec\` needs no such care. Standard error names the lease: \`proxyvault report LEASE --ok\` says how it went.`,
  key: '--reveal',
  takes: (command) =>
    withHandOutOptions(command)
      .option('--reveal', 'print username and password too, as a client needs them')
      .option(
        '--lease <time>',
        'how long the lease lasts that `report` takes, such as 5m (default: limits.leaseMs)',
        duration,
      )
      .option('--wait <time>', 'if no proxy is ready, but one may come, wait up to so long', duration),
  act: (options) => printHandOut(options, 'lease'),
});
