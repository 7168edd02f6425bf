import { isUtf8 } from 'node:buffer';

import { parseHost } from '../model/host.ts';
import type { Target } from '../upstream/index.ts';
import { type SocksOutcome, type SocksVersion, socksReply } from './socks-reply.ts';

/** What follows from the bytes of a client. */
export type SocksEvent =
  /** Write these bytes. */
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  /** Answer by `accept()` or `reject()`. SOCKS4 has no password. */
  | { readonly kind: 'login'; readonly username: string; readonly password: string }
  /** The handshake is over: connect, and answer with `socksReply`. `rest` came after it, and is for the target. */
  | {
      readonly kind: 'target';
      readonly version: SocksVersion;
      readonly target: Target;
      readonly rest: Buffer;
    }
  /** Write the reply, if there is one, and close. The message holds nothing that the client sent. */
  | { readonly kind: 'error'; readonly message: string; readonly reply: Buffer | null };

/** What a step makes of the bytes that are there: null if it needs more of them. */
type Step = (bytes: Buffer) => { used: number; events: SocksEvent[]; next: Step | 'login' | 'over' } | null;
type Outcome = ReturnType<Step>;

/** The most bytes that are kept while somebody decides about a login: what one read of a socket may have brought. */
const MOST_WAITING = 65_536;
/** The most bytes of a userid or a name in SOCKS4, which end with a zero byte. */
const MOST_TEXT = 255;

const NOTHING = Buffer.alloc(0);

/**
 * The server's side of SOCKS4, 4a and 5 (RFC 1928 and 1929) over bytes, without a socket. Only CONNECT is supported. Names are kept as
 * names, and never looked up.
 *
 * ```ts
 * const socks = new SocksInbound(false);
 * for (const event of socks.push(bytes)) …
 * ```
 */
export class SocksInbound {
  readonly #needsLogin: boolean;
  #version: SocksVersion = 5;
  #held: Buffer = NOTHING;
  #next: Step | 'login' | 'over' = (bytes) => this.#greeting(bytes);
  #afterLogin: SocksEvent[] = [];

  /** @param needsLogin whether a client without a login is turned away. */
  constructor(needsLogin: boolean) {
    this.#needsLogin = needsLogin;
  }

  /** How many bytes are kept: at most 513 while the handshake lasts, and more only while a login waits for its answer. */
  get held(): number {
    return this.#held.length;
  }

  /** Whether a login waits for `accept()` or `reject()`: read no more until then. */
  get waits(): boolean {
    return this.#next === 'login';
  }

  /** Takes bytes, in pieces of any size. After a target or an error it takes no more. */
  push(bytes: Buffer): SocksEvent[] {
    if (this.#next === 'over') return [this.#error('The SOCKS handshake is over.', null)];
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    return this.#run();
  }

  /** The login is right. */
  accept(): SocksEvent[] {
    if (this.#next !== 'login') return [];
    this.#next = (bytes) => this.#request(bytes);
    if (this.#version === 5) return [{ kind: 'reply', bytes: Buffer.from([1, 0]) }, ...this.#run()];
    const [target] = this.#afterLogin;
    this.#next = 'over';
    return target?.kind === 'target' ? [{ ...target, rest: this.#takeRest() }] : [];
  }

  /** The login is wrong. */
  reject(): SocksEvent[] {
    if (this.#next !== 'login') return [];
    return [this.#error('The login is wrong.', this.#version === 5 ? Buffer.from([1, 1]) : rejected4(93))];
  }

  #run(): SocksEvent[] {
    const events: SocksEvent[] = [];
    while (typeof this.#next === 'function') {
      const outcome: Outcome = this.#next(this.#held);
      if (outcome === null) {
        // A copy: a piece of a large buffer would keep all of it.
        this.#held = Buffer.from(this.#held);
        return events;
      }
      this.#held = this.#held.subarray(outcome.used);
      this.#next = outcome.next;
      events.push(...outcome.events);
    }
    if (this.#next === 'over') this.#held = NOTHING;
    else if (this.#held.length > MOST_WAITING)
      events.push(this.#error('The client sends too much before the answer to its login.', null));
    else this.#held = Buffer.from(this.#held);
    return events;
  }

  #takeRest(): Buffer {
    const rest = this.#held;
    this.#held = NOTHING;
    return rest;
  }

  #error(message: string, reply: Buffer | null): SocksEvent {
    this.#next = 'over';
    this.#held = NOTHING;
    return { kind: 'error', message, reply };
  }

  #fail(message: string, outcome: SocksOutcome | null): Outcome {
    const reply = outcome === null ? null : socksReply(this.#version, outcome);
    return { used: 0, events: [{ kind: 'error', message, reply }], next: 'over' };
  }

  #greeting(bytes: Buffer): Outcome {
    const [version, count] = bytes;
    if (version === 4) {
      this.#version = 4;
      return this.#request4(bytes);
    }
    if (version !== undefined && version !== 5)
      return this.#fail('The client does not speak SOCKS4 or SOCKS5.', null);
    if (count === undefined || bytes.length < 2 + count) return null;
    const methods = bytes.subarray(2, 2 + count);
    // A login may say who asks, so it is taken where it is offered.
    const method = methods.includes(2) ? 2 : methods.includes(0) && !this.#needsLogin ? 0 : 255;
    const reply = Buffer.from([5, method]);
    if (method === 255) {
      const message = this.#needsLogin
        ? 'A username and a password are needed, and the client offers none.'
        : 'The client offers no way to log in that is supported: give no login, or a username and a password.';
      return { used: 0, events: [{ kind: 'error', message, reply }], next: 'over' };
    }
    const next: Step = (rest) => (method === 2 ? this.#login(rest) : this.#request(rest));
    return { used: 2 + count, events: [{ kind: 'reply', bytes: reply }], next };
  }

  /** RFC 1929. */
  #login(bytes: Buffer): Outcome {
    const [version, nameLength] = bytes;
    const failed = (message: string): Outcome => ({
      used: 0,
      events: [{ kind: 'error', message, reply: Buffer.from([1, 1]) }],
      next: 'over',
    });
    if (version !== undefined && version !== 1) return failed('The login is malformed.');
    if (nameLength === undefined) return null;
    const passwordLength = bytes[2 + nameLength];
    if (passwordLength === undefined) return null;
    const used = 3 + nameLength + passwordLength;
    if (bytes.length < used) return null;
    const name = bytes.subarray(2, 2 + nameLength);
    const password = bytes.subarray(3 + nameLength, used);
    if (!isUtf8(name) || !isUtf8(password)) return failed('The login is not UTF-8.');
    return {
      used,
      events: [{ kind: 'login', username: name.toString(), password: password.toString() }],
      next: 'login',
    };
  }

  /** RFC 1928, 4. */
  #request(bytes: Buffer): Outcome {
    const [version, command, reserved, type] = bytes;
    if ((version !== undefined && version !== 5) || (reserved !== undefined && reserved !== 0))
      return this.#fail('The request is malformed.', 'generalFailure');
    if (command !== undefined && command !== 1)
      return this.#fail('Only the command CONNECT is supported.', 'commandNotSupported');
    if (type === undefined) return null;
    if (type !== 1 && type !== 3 && type !== 4)
      return this.#fail('The type of the address is not supported.', 'addressNotSupported');
    const nameLength = bytes[4];
    if (nameLength === undefined) return null;
    const start = type === 3 ? 5 : 4;
    const end = start + (type === 1 ? 4 : type === 4 ? 16 : nameLength);
    if (bytes.length < end + 2) return null;
    const address = bytes.subarray(start, end);
    const host = type === 1 ? address.join('.') : type === 4 ? colons(address) : nameOf(address);
    return this.#target(host, bytes.readUInt16BE(end), bytes, end + 2);
  }

  /** SOCKS4 and 4a: version, command, port, address, userid, 0, and perhaps a name, 0. */
  #request4(bytes: Buffer): Outcome {
    const command = bytes[1];
    if (command !== undefined && command !== 1)
      return this.#fail('Only the command CONNECT is supported.', 'commandNotSupported');
    if (bytes.length < 9) return null;
    const address = bytes.subarray(4, 8);
    const userid = textAt(bytes, 8);
    if (userid === 'long') return this.#fail('The userid is longer than 255 bytes.', 'generalFailure');
    if (userid === null) return null;
    const isName = address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0;
    const name = isName
      ? textAt(bytes, userid.end)
      : { text: Buffer.from(address.join('.')), end: userid.end };
    if (name === 'long')
      return this.#fail('The name of the target is longer than 255 bytes.', 'generalFailure');
    if (name === null) return null;
    if (!isUtf8(userid.text)) return this.#fail('The userid is not UTF-8.', 'generalFailure');
    const outcome = this.#target(nameOf(name.text), bytes.readUInt16BE(2), bytes, name.end);
    const [target] = outcome?.events ?? [];
    if (target?.kind !== 'target' || (userid.text.length === 0 && !this.#needsLogin)) return outcome;
    this.#afterLogin = [target];
    return {
      used: name.end,
      events: [{ kind: 'login', username: userid.text.toString(), password: '' }],
      next: 'login',
    };
  }

  #target(text: string, port: number, bytes: Buffer, used: number): Outcome {
    const parsed = parseHost(text);
    if ('error' in parsed) return this.#fail('The target is not a valid host.', 'generalFailure');
    if (port === 0) return this.#fail('The port of the target is 0.', 'generalFailure');
    const target: Target = { host: parsed.host, port };
    const rest = Buffer.from(bytes.subarray(used));
    return { used, events: [{ kind: 'target', version: this.#version, target, rest }], next: 'over' };
  }
}

/** A text that ends with a zero byte: null if that is still to come, and `long` if it comes too late. */
function textAt(bytes: Buffer, start: number): { text: Buffer; end: number } | null | 'long' {
  const end = bytes.indexOf(0, start);
  if ((end === -1 ? bytes.length : end) - start > MOST_TEXT) return 'long';
  return end === -1 ? null : { text: bytes.subarray(start, end), end: end + 1 };
}

/** Bytes that are not UTF-8 are no name. */
function nameOf(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString() : '';
}

function colons(address: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => address.readUInt16BE(2 * group).toString(16)).join(':');
}

function rejected4(code: number): Buffer {
  return Buffer.from([0, code, 0, 0, 0, 0, 0, 0]);
}
