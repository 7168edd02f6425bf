import type { Socket } from 'node:net';

import { connect, type Target } from '../upstream/index.ts';
import type { ClientLogin } from './asking.ts';
import type { Desk } from './desk.ts';
import { openTunnel } from './open-tunnel.ts';
import { closeAfter, type Refusal, refusal } from './replies.ts';
import { type SocksEvent, SocksInbound } from './socks-inbound.ts';
import { type SocksOutcome, type SocksVersion, socksReply } from './socks-reply.ts';
import { Visit } from './visit.ts';

/** Serves a SOCKS client: a tunnel through a proxy, whatever goes through it. */
export class SocksRequest {
  readonly #desk: Desk;
  readonly #client: Socket;
  readonly #inbound: SocksInbound;
  readonly #visit: Visit;
  readonly #onFault: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #onData = (bytes: Buffer): void => this.#follow(this.#inbound.push(bytes));
  readonly #onGone = (): void => this.#abort();
  /** A client that has sent all of its handshake may end its half, also while its login is checked. */
  readonly #onEnd = (): void => {
    if (!this.#inbound.waits) this.#abort();
  };
  /** It is checked at once, for its answer, and again with the target, since it says who asks for that. */
  #login: ClientLogin | null = null;
  #isOver = false;

  /**
   * @param first what was read of the client already.
   * @param onFault called with an error that nobody foresaw.
   */
  constructor(desk: Desk, client: Socket, first: Buffer, onFault: (error: unknown) => void) {
    this.#desk = desk;
    this.#client = client;
    this.#onFault = onFault;
    this.#inbound = new SocksInbound(desk.asker.needsLogin);
    this.#visit = new Visit(desk, client, first[0] === 4 ? 'socks4' : 'socks5');
    // The whole handshake must be done by then: a client could send a byte now and then for ever.
    this.#timer = setTimeout(() => client.destroy(), desk.settings.headerMs);
    client.on('data', this.#onData).once('end', this.#onEnd).once('close', this.#onGone);
    this.#onData(first);
  }

  #follow(events: readonly SocksEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case 'reply':
          this.#client.write(event.bytes);
          break;
        case 'login':
          this.#go(this.#check({ username: event.username, password: event.password }));
          break;
        case 'error':
          this.#refuse(refusal(400, 'INVALID_INPUT', event.message), event.reply);
          break;
        case 'target':
          this.#go(this.#open(event.version, event.target, event.rest));
          break;
      }
    }
  }

  #go(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#client.destroy();
      this.#onFault(error);
    });
  }

  async #check(login: ClientLogin): Promise<void> {
    this.#client.pause();
    this.#login = login;
    const asking = await this.#desk.asker.ask(login, [], this.#client.remoteAddress);
    if (this.#client.destroyed) return;
    if ('status' in asking) {
      const [event] = this.#inbound.reject();
      this.#refuse(asking, event?.kind === 'error' ? event.reply : null);
      return;
    }
    this.#client.resume();
    this.#follow(this.#inbound.accept());
    if (this.#client.readableEnded && !this.#isOver) this.#abort();
  }

  async #open(version: SocksVersion, target: Target, rest: Buffer): Promise<void> {
    const client = this.#client;
    const visit = this.#visit;
    this.#detach();
    client.pause();
    const asking = await visit.admit(target, this.#login);
    const refused = (why: Refusal): void => closeAfter(client, socksReply(version, outcomeOf(why)));
    if ('status' in asking) {
      visit.refused(asking);
      refused(asking);
      return;
    }
    await openTunnel<Socket>(this.#desk, {
      visit,
      client,
      asking,
      head: rest,
      domain: target.host,
      reach: ({ proxy }, signal) => connect(proxy, target, this.#desk.connecting(signal())),
      opened: ({ value }) => {
        client.write(socksReply(version, 'success'));
        return value;
      },
      drop: (upstream) => upstream.destroy(),
      refused,
    });
  }

  #refuse(why: Refusal, reply: Buffer | null): void {
    this.#detach();
    this.#visit.refused(why);
    if (reply === null) this.#client.destroy();
    else closeAfter(this.#client, reply);
  }

  /** The client has gone. */
  #abort(): void {
    this.#detach();
    this.#visit.end({ outcome: 'aborted' });
    this.#client.destroy();
  }

  /** The handshake is over. */
  #detach(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#client.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone);
  }
}

/** What a refusal is in SOCKS. */
function outcomeOf({ status, tried = [] }: Refusal): SocksOutcome {
  if (status === 403 || status === 407) return 'notAllowed';
  const kind = tried.at(-1)?.kind;
  if (kind === undefined) return 'generalFailure';
  if (kind === 'timeout') return 'ttlExpired';
  return kind === 'blocked' ? 'notAllowed' : 'hostUnreachable';
}
