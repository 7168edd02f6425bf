import { BACKOFF, between, recoveries, sharesOf, warmUp } from './numbers.ts';
import type { Plan, Story } from './run.ts';
import { MINUTE, SECOND } from './world.ts';

const BEGIN = '<!-- begin: written by `npm test -- test/simulation -u` -->';
const END = '<!-- end -->';

/** The page with the numbers of a simulation between its marks. */
export function withNumbers(page: string, story: Story, plan: Plan): string {
  const begin = page.indexOf(BEGIN) + BEGIN.length;
  const end = page.indexOf(END, begin);
  if (begin < BEGIN.length || end < begin) throw new Error(`The page must have ${BEGIN} and ${END}.`);
  return `${page.slice(0, begin)}\n\n${tableOf(story, plan)}\n\n${page.slice(end)}`;
}

function tableOf(story: Story, plan: Plan): string {
  const { outage, lasts } = plan;
  const warm = warmUp(plan);
  const times = recoveries(story, warm, lasts - BACKOFF);
  const seconds = (time: number | undefined) => Math.round((time ?? Number.NaN) / SECOND);
  const share = (name: string, from: number, until: number) => {
    const { pool, oracle } = sharesOf(between(story, from, until));
    return `| ${name} | ${pool.toFixed(1)} % | ${oracle.toFixed(1)} % |`;
  };
  const [began, ended] = story.domains.map(({ at }) => at);
  return [
    '| requests that succeed | pool | oracle |',
    '| --- | --- | --- |',
    share(`in the warm-up, ${warm / MINUTE} minutes`, 0, warm),
    share('after the warm-up', warm, lasts),
    share('of that, before the domain goes down', warm, outage.from),
    share('of that, while it is down', outage.from, outage.until),
    share('of that, after it works again', outage.until, lasts),
    '',
    `\`domain-failing\` came ${seconds((began ?? Number.NaN) - outage.from)} seconds after the domain went down, and again`,
    `${seconds((ended ?? Number.NaN) - outage.until)} seconds after it was back. Of ${times.length} proxies that came back, half were used again within`,
    `${seconds(times[times.length >> 1])} seconds, and the last one after ${seconds(times.at(-1))}; the longest cooldown is ${seconds(BACKOFF)}.`,
  ].join('\n');
}
