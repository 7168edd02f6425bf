import { type ListVerdict, parseProxyList } from '../../src/lists/index.ts';

/** All verdicts on a list. */
export async function collect(...list: Parameters<typeof parseProxyList>): Promise<ListVerdict[]> {
  const verdicts: ListVerdict[] = [];
  for await (const verdict of parseProxyList(...list)) verdicts.push(verdict);
  return verdicts;
}

export function proxiesOf(verdicts: readonly ListVerdict[]): unknown[] {
  return verdicts.flatMap((verdict) => (verdict.kind === 'proxy' ? [verdict.proxy] : []));
}

/** The kind of each verdict; of a rejection its code. */
export function kindsOf(verdicts: readonly ListVerdict[]): string[] {
  return verdicts.map((verdict) => (verdict.kind === 'refused' ? verdict.code : verdict.kind));
}
