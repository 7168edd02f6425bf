import type { Gateway, RequestLog } from '../../../gateway/index.ts';
import type { Vault } from '../../../vault.ts';
import { type Ask, ask } from './client.ts';
import type { News } from './news.ts';
import type { Recorder } from './recorder.ts';
import type { World } from './world.ts';

/** What the chapters of the tour share. */
export interface Stage {
  world: World;
  vault: Vault;
  gateway: Gateway;
  recorder: Recorder;
  news: News;
  /** The name of a proxy by its id. */
  nameOf: (id: string | null | undefined) => string;
}

/** What a client was answered, and which proxies that took. */
export interface Served {
  status: number;
  lease: string | null;
  /** The name of the proxy. */
  by: string;
  log: RequestLog;
}

/** Asks while nobody else does, and waits for the line in the log, which comes when the connection is closed. */
export async function served({ recorder, nameOf }: Stage, asked: Ask): Promise<Served> {
  const { length } = recorder.logs;
  // One that fails is in the log, too.
  const answer = await ask(asked).catch(() => ({ status: 0, lease: null }));
  const log = await recorder.line(length);
  return { ...answer, by: nameOf(log.proxy), log };
}
