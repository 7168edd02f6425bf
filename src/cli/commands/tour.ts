import { standaloneCommand } from '../command.ts';
import { liveTour } from './tour/live.ts';
import { simulatedTour } from './tour/simulated/tour.ts';

/** The main job, in a new pool of its own. Nothing leaves this machine. */
export const tourCommand = standaloneCommand({
  name: 'tour',
  purpose: 'show what proxyvault does, in a new ./data/tour.db each time; nothing leaves this machine',
  example: 'proxyvault tour',
  notes: `It starts proxies and websites on 127.0.0.1, sends requests through the gateway, and kills a proxy: some seconds in all.
With --simulated it has no network: an example list, days of work, and the ten strategies, by a clock that is simulated.`,
  takes: (command) =>
    command.option('--simulated', 'show the example list and the strategies, without a network'),
  act: (command) => (command.opts<{ simulated?: boolean }>().simulated ? simulatedTour() : liveTour()),
});
