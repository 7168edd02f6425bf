import type { Filter } from '../index/filter.ts';
import type { Situation, Strategy } from './strategy.ts';

/**
 * Any in the wanted country, else, unless `strict`, in the first preferred region that has one, else any. Excluded countries are
 * no candidates to begin with.
 */
export const geographic: Strategy = {
  reason(slot, situation) {
    const { country, index, settings } = situation;
    if (country === null && settings.regions.length === 0)
      return 'was drawn at random, since no country and no region is wanted';
    if (country !== null && index.columns.country(slot) === country)
      return `was drawn at random among those in ${country}`;
    const place = settings.regions[geographic.rank(slot, situation)];
    return place === undefined
      ? 'was drawn at random, since no candidate is in a wanted place'
      : `was drawn at random among those in ${place}, the most wanted place that has a candidate`;
  },
  pick(situation) {
    const { country, candidates, settings, random } = situation;
    const isWanted = country !== null || settings.regions.length > 0;
    for (const place of isWanted ? placesOf(situation) : []) {
      const slot = situation.narrowed(place).any(random);
      if (slot !== -1) return slot;
    }
    return isWanted && settings.strict ? -1 : candidates.any(random);
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

/** The places that are wanted, the most wanted first. A strict choice of a country looks nowhere else. */
function placesOf({ country, settings: { regions, strict } }: Situation): Filter[] {
  const preferred = regions.map((place) => ({ places: [place] }));
  if (country === null) return preferred;
  return strict ? [{ country }] : [{ country }, ...preferred];
}
