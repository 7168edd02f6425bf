import type { Filter } from '../index/filter.ts';
import type { Situation, Strategy } from './strategy.ts';

/**
 * Any in the wanted country, else, unless `strict`, in the first preferred region that has one, else any. Excluded countries are
 * no candidates to begin with.
 */
export const geographic: Strategy = {
  reason: 'was drawn at random in the most wanted place that has a proxy',
  pick(situation) {
    for (const place of placesOf(situation)) {
      const slot = situation.narrowed(place).any(situation.random);
      if (slot !== -1) return slot;
    }
    return -1;
  },
  rank(slot, { index: { columns }, country, settings: { regions } }) {
    if (country !== null && columns.country(slot) === country) return -1;
    const place = regions.findIndex(
      (each) => each === columns.region(slot) || each.toUpperCase() === columns.country(slot),
    );
    return place === -1 ? regions.length : place;
  },
  describe: (slot, { index: { columns } }) =>
    `country ${columns.country(slot) ?? 'unknown'}, region ${columns.region(slot) ?? 'unknown'}`,
};

/** The places to look in, most wanted first. */
function placesOf({ country, settings: { regions, strict } }: Situation): Filter[] {
  const preferred = regions.map((place) => ({ places: [place] }));
  if (country !== null) return strict ? [{ country }] : [{ country }, ...preferred, {}];
  return strict && preferred.length > 0 ? preferred : [...preferred, {}];
}
