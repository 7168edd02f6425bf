import { parseDomain } from '../../model/domain.ts';
import type { CoolView } from '../../views/changes.ts';
import { cooldownViewer } from '../../views/cooldowns.ts';
import { duration } from '../arguments.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { timeOf } from '../cooldown-text.ts';
import { meantProxies, PROXY_ARGUMENT } from '../meant-proxies.ts';
import { print } from '../output.ts';
import { lines, text } from '../terminal.ts';

interface CoolOptions extends CommonOptions {
  for: number;
  domain?: string;
  reason?: string;
}

export const coolCommand = poolCommand({
  name: 'cool',
  purpose: 'put proxies out for a time, for everything or for one domain, in every process',
  example:
    "proxyvault cool gate.example.com:1080 --for 10m --domain shop.example --reason 'asked for a captcha'",
  notes:
    'They come back by themselves; `proxyvault reset ID` lets them back in before. `proxyvault disable ID` puts one out for good.',
  takes: (command) =>
    command
      .argument('<id...>', PROXY_ARGUMENT)
      .requiredOption('--for <time>', 'for how long, such as 10m', duration)
      .option('--domain <domain>', 'only for this host, or the host of this URL')
      .option('--reason <text>', 'why, in a few words; lists show it, so no secrets'),
  run(vault, { json, for: forMs, domain, reason }: CoolOptions, typed: string[]) {
    const meant = meantProxies(vault, typed);
    for (const { id } of meant) vault.pool.cool(id, { forMs, domain, reason });
    const cooldownsOf = cooldownViewer(vault);
    const view: CoolView = {
      cooled: meant.map(({ id }) => ({
        id,
        cooldowns: cooldownsOf(id).filter(({ source }) => source === 'person'),
      })),
    };
    const until = timeOf(new Date(vault.database.clock() + forMs).toISOString(), vault.database.clock());
    const part = domain === undefined ? '' : ` for ${parseDomain(domain, { wildcards: false }).pattern}`;
    print(json, view, () =>
      lines(meant.map(({ name, id }) => text`${name} (${id}) is out${part} until ${until}.`)),
    );
  },
});
