import type { ParseOptions } from '../options.ts';
import { refused } from '../parts/refused.ts';
import { maskRecord, readRecord } from '../record/record.ts';
import type { LineVerdict, ListVerdict } from '../verdicts.ts';
import { type ListReader, placed, rejected } from './list-reader.ts';
import { UnreadXml, type XmlToken, XmlTokens } from './xml-tokens.ts';

interface Entry {
  line: number;
  type: string;
  isLogin: boolean;
  values: Map<string, string>;
}

/** The members that are read, by the path inside `<Proxy>`. */
const MEMBERS: ReadonlyMap<string, string> = new Map([
  ['Address', 'host'],
  ['Port', 'port'],
  ['Label', 'name'],
  ['Authentication/Username', 'username'],
  ['Authentication/Password', 'password'],
]);

const ENTRY = 'ProxifierProfile/ProxyList/Proxy';

/** Reads a Proxifier profile (.ppx). It rejects passwords that Proxifier has encrypted, and ends at XML that it does not know. */
export class ProxifierReader implements ListReader {
  readonly #options: ParseOptions;
  readonly #tokens = new XmlTokens();
  readonly #path: string[] = [];
  #entry: Entry | null = null;
  /** How passwords are encrypted; undefined if the profile does not say. */
  #encryption: string | undefined;
  #hasRead = false;
  #isOver = false;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  *push(text: string): Iterable<ListVerdict> {
    if (this.#isOver) return;
    try {
      for (const token of this.#tokens.push(text.replace(/^\uFEFF/, ''))) yield* this.#read(token);
    } catch (error) {
      if (!(error instanceof UnreadXml)) throw error;
      this.#isOver = true;
      const reason = `the profile is not read from here on: ${error.message}`;
      yield rejected('truncated', reason, this.#entry?.line);
    }
  }

  *finish(): Iterable<ListVerdict> {
    if (this.#isOver) return;
    if (!this.#tokens.isComplete)
      yield rejected('truncated', 'the profile ends before its tags do: it is cut off');
    else if (!this.#hasRead) yield rejected('not-a-list', 'this profile of Proxifier has no proxy');
  }

  *#read(token: XmlToken): Iterable<ListVerdict> {
    if (token.kind === 'text') this.#readText(token.text);
    else if (token.kind === 'open') {
      this.#path.push(token.name);
      this.#openTag(token);
    } else {
      const isEntry = this.#path.join('/') === ENTRY;
      this.#path.pop();
      if (isEntry && this.#entry) yield* this.#verdicts(this.#entry);
      if (isEntry) this.#entry = null;
    }
  }

  #openTag({ attributes, line }: Extract<XmlToken, { kind: 'open' }>): void {
    const path = this.#path.join('/');
    if (path === 'ProxifierProfile/Options/Encryption') this.#encryption = attributes.mode ?? '';
    else if (path === ENTRY)
      this.#entry = { line, type: attributes.type ?? '', isLogin: true, values: new Map() };
    else if (path === `${ENTRY}/Authentication` && this.#entry)
      this.#entry.isLogin = attributes.enabled !== 'false';
  }

  #readText(text: string): void {
    const member = MEMBERS.get(this.#path.slice(3).join('/'));
    if (!this.#entry || member === undefined) return;
    this.#entry.values.set(member, (this.#entry.values.get(member) ?? '') + text);
  }

  *#verdicts({ line, type, isLogin, values }: Entry): Iterable<ListVerdict> {
    this.#hasRead = true;
    // Proxifier calls HTTPS what tunnels with CONNECT over plain HTTP.
    const isTunnel = /^https$/i.test(type);
    const members: [string, string][] = [
      ['type', isTunnel ? 'http' : type],
      ...[...values].filter(([name]) => isLogin || (name !== 'username' && name !== 'password')),
    ];
    const password = isLogin ? (values.get('password') ?? '') : '';
    const reason = this.#whyUnreadable(password);
    const verdicts: LineVerdict[] =
      reason === null ? readRecord(members, this.#options) : [refused('bad-credentials', reason)];
    for (const verdict of verdicts) {
      if (isTunnel && verdict.kind === 'proxy')
        verdict.notes = [...verdict.notes, 'HTTPS of Proxifier was read as http, which tunnels HTTPS too'];
      yield placed(verdict, line, (code) => maskRecord(members, code));
    }
  }

  /** Why a password is, or may be, encrypted; null if it is clear. */
  #whyUnreadable(password: string): string | null {
    if (password === '' || this.#encryption === 'disabled') return null;
    if (this.#encryption !== undefined)
      return 'Proxifier has encrypted the password: turn its password encryption off, and save the profile again';
    const isBase64 =
      password.length >= 16 && password.length % 4 === 0 && /^[a-z\d+/]+={0,2}$/i.test(password);
    return isBase64
      ? 'the password may be encrypted by Proxifier: if it is not, say <Encryption mode="disabled"/> in the options'
      : null;
  }
}
