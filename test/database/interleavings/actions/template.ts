import { initDatabase } from 'proxyvault';
import { type Model, read } from '../model.ts';
import { Party } from '../party.ts';
import { loginOf } from './action.ts';

/** Three proxies with logins (of p3 a password alone) and the tag `list`, one without; two requests of p1; three rules; a sticky domain. */
export async function makeTemplate(path: string): Promise<{ model: Model; code: string }> {
  using db = initDatabase({ path });
  db.migrations.up();
  await using party = new Party(path, 'first');
  for (const n of [1, 2, 3, 4]) {
    const id = `p${n}`;
    const credentials = n > 2 ? undefined : loginOf(n);
    party.proxies.create({ id, name: id, host: 'h.example', port: n, protocol: 'http', credentials });
    if (n < 4) party.tags.add(id, 'list', 'import-0');
  }
  // As the specification's example stores it: bound to no proxy.
  party.credentials.save('p3', party.encryption.encrypt('pass-3'));
  party.proxies.updateStats('p1', true, 10);
  party.proxies.updateStats('p1', false);
  party.sticky.create({ domain: 'd.example', proxyId: 'p2' });
  party.config.update({ failureThreshold: 2 });
  for (const name of ['a', 'b', 'c']) party.rules.create(ruleNamed(name));
  party.rules.reorder(['a', 'b', 'c']);
  const code = party.encryption.createRecoveryCode();
  return { model: { ...read(party), key: 'first', hasFile: false }, code };
}

const ruleNamed = (name: string) => ({
  id: name,
  name,
  conditions: [{ field: 'domain' as const, operator: 'equals' as const, value: `${name}.rule` }],
  actions: [{ type: 'block' as const }],
});
