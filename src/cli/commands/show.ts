import type { CooldownView } from '../../views/cooldowns.ts';
import { detailedView } from '../../views/proxy.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { outOf, partOf, whyOf } from '../cooldown-text.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { details, print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';

export const showCommand = poolCommand({
  name: 'show',
  purpose: 'everything about one proxy',
  example: 'proxyvault show gate.example.com:1080',
  takes: (command) =>
    command.argument('<id>', PROXY_ARGUMENT).option('--reveal', 'show username, password and change-IP URL'),
  key: '--reveal',
  reads: true,
  run(vault, options: CommonOptions & { reveal?: boolean }, typed: string) {
    if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
    const view = detailedView(vault, vault.proxies.resolve(typed), options);
    const { tags, usage, domains, cooldowns } = view;
    const now = vault.database.clock();
    const facts = Object.entries({
      ...view,
      tags: tags.join(', '),
      usage: undefined,
      domains: domains.join(', '),
      cooldowns: cooldowns.map((each) => cooldownText(each, now)).join('; '),
    });
    // Some names of the usage are those of the proxy too.
    const used = Object.entries(usage).map(([name, value]) => [`usage.${name}`, value] as const);
    print(options.json, view, () =>
      details([...facts.filter(([, value]) => value !== undefined), ...used], 22),
    );
  },
});

function cooldownText(cooldown: CooldownView, now: number): string {
  if (cooldown.state === 'cooling') return outOf(cooldown, now);
  return `one request may try ${partOf(cooldown)} (${whyOf(cooldown)})`;
}
