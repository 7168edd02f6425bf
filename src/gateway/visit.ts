import type { Socket } from 'node:net';

import { formatAddress } from '../lists/index.ts';
import type { Target } from '../upstream/index.ts';
import type { Asking, ClientLogin } from './asking.ts';
import type { Desk } from './desk.ts';
import type { RequestEnd, RequestLog } from './log.ts';
import { hasPassed } from './raw-headers.ts';
import { type Refusal, refusal } from './replies.ts';

const LOOP = refusal(
  508,
  'LOOP',
  'This request comes from the gateway itself: one of its proxies leads back to it. Remove that proxy from the pool.',
);
const TOO_MANY = refusal(
  429,
  'TOO_MANY_CONNECTIONS',
  'This user has as many connections as are allowed: close some, or ask later.',
);

/** One request of a client, from its arrival to its end, which is told once. */
export class Visit {
  readonly #desk: Desk;
  readonly #client: Socket;
  readonly #protocol: RequestLog['protocol'];
  readonly #method: string | undefined;
  readonly #since = performance.now();
  /** A socket that is closed has no address. */
  readonly #address: string;
  #target = '-';
  #asking: Asking | null = null;
  #isEnded = false;

  constructor(desk: Desk, client: Socket, protocol: RequestLog['protocol'], method?: string) {
    this.#desk = desk;
    this.#client = client;
    this.#protocol = protocol;
    this.#method = method;
    this.#address = client.remoteAddress ?? '';
    desk.onBegin();
  }

  /** What the client asks for. */
  wants(target: Target): void {
    this.#target = formatAddress(target);
  }

  /** Finds out who asks, and whether they may have the target. */
  async admit(
    target: Target,
    login: ClientLogin | Refusal | null,
    rawHeaders?: readonly string[],
  ): Promise<Asking | Refusal> {
    const { asker, policy, limits, isLoop, settings } = this.#desk;
    this.wants(target);
    if (isLoop(this.#client) || (settings.via && hasPassed(rawHeaders, settings.pseudonym))) return LOOP;
    if (login !== null && 'status' in login) return login;
    const asking = await asker.ask(login, rawHeaders, this.#address);
    if ('status' in asking) return asking;
    const denied = policy.denialOf(target.host, target.port);
    if (denied !== null)
      return refusal(
        403,
        'TARGET_DENIED',
        `The target is ${denied}, which this gateway does not lead to. If it must, allow it: allowTargets, or --allow-target.`,
      );
    if (!limits.begin(asking.user)) return TOO_MANY;
    this.#asking = asking;
    return asking;
  }

  /** The request is not served, and no proxy was asked. */
  refused({ status, code, message }: Refusal): void {
    this.end({ outcome: 'refused', status, reason: code, detail: message });
  }

  /** The request has ended. */
  end(end: RequestEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { user = null, identity } = this.#asking ?? {};
    if (this.#asking !== null) this.#desk.limits.end(user);
    this.#desk.onEnd({
      client: this.#address,
      user: user?.name,
      session: identity?.session,
      protocol: this.#protocol,
      method: this.#method,
      target: this.#target,
      ...end,
      ms: Math.round(performance.now() - this.#since),
    });
  }
}
