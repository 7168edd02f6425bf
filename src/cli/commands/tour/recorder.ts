import { EventEmitter, once } from 'node:events';

import type { GatewayLogger, RequestLog } from '../../../gateway/index.ts';

/** Keeps what a gateway logs, in place of printing it. */
export class Recorder implements GatewayLogger {
  readonly logs: RequestLog[] = [];
  readonly #events = new EventEmitter();

  info(fields: object): void {
    this.logs.push(fields as RequestLog);
    this.#events.emit('log');
  }

  warn(fields: object): void {
    this.info(fields);
  }

  /** The line at this index, as soon as it is there. */
  async line(index: number): Promise<RequestLog> {
    for (;;) {
      const log = this.logs[index];
      if (log !== undefined) return log;
      await once(this.#events, 'log');
    }
  }
}
