import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { print } from '../output.ts';
import { type RequestOptions, requestOf, withRequestOptions } from '../request-options.ts';
import { explanationText } from './explain/explanation.ts';

export const explainCommand = poolCommand({
  name: 'explain',
  purpose:
    'say which proxy `next` would hand out and why: by rule, by filter and by strategy; nothing is handed out',
  example: 'proxyvault explain --url https://www.shop.example/cart --country DE',
  notes: `The exit code is 0 also if no proxy would be handed out: then it says why. With --json \`proxy\` is null.`,
  reads: true,
  takes: withRequestOptions,
  run(vault, options: CommonOptions & RequestOptions) {
    const explanation = vault.pool.explain(requestOf(vault, options));
    print(options.json, explanation, () => explanationText(explanation));
  },
});
