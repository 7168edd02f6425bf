import type { ErrorDetails } from '../errors.ts';
import type { RotationRule } from '../model/rules.ts';
import type { Vault } from '../vault.ts';

/** The rules in the order they are tried, and what is wrong with those that are malformed. */
export interface RulesView {
  rules: RotationRule[];
  invalid: ({ message: string } & ErrorDetails)[];
}

export function rulesView({ rules }: Vault): RulesView {
  const invalid: RulesView['invalid'] = [];
  const valid = rules.findAll({
    onInvalid: ({ message, details }) => invalid.push({ message, ...details }),
  });
  return { rules: valid, invalid };
}
