export type XmlToken =
  | { kind: 'open'; name: string; attributes: Readonly<Record<string, string>>; line: number }
  | { kind: 'close' }
  | { kind: 'text'; text: string };

/** XML that is not read: with a DTD, CDATA, other entities, or malformed. */
export class UnreadXml extends Error {}

const NAME = String.raw`[A-Za-z_][\w.-]*`;
const ATTRIBUTE = String.raw`\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*')`;
const TAG = new RegExp(String.raw`^(?:<(${NAME})((?:${ATTRIBUTE})*)\s*(\/?)>|<\/(${NAME})\s*>)$`);
const EACH_ATTRIBUTE = new RegExp(String.raw`(${NAME})\s*=\s*(?:"([^"]*)"|'([^']*)')`, 'g');
const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }),
);
/** No tag, comment or text is longer. */
const MAX_TOKEN = 16_384;
const MAX_DEPTH = 32;

/** Cuts XML into tags and texts and checks their nesting. It knows nothing that could expand or lead elsewhere. */
export class XmlTokens {
  readonly #path: string[] = [];
  #open = '';
  #line = 1;
  #hasRoot = false;

  /** Whether all tags are closed and nothing is cut off. */
  get isComplete(): boolean {
    return this.#hasRoot && this.#path.length === 0 && this.#open.trim() === '';
  }

  /** The tokens that this completes. @throws UnreadXml */
  *push(text: string): Generator<XmlToken, void, undefined> {
    this.#open += text;
    let start = 0;
    for (let end = this.#endOfToken(start); end !== -1; end = this.#endOfToken(start)) {
      const token = this.#open.slice(start, end);
      if (token.length > MAX_TOKEN) throw new UnreadXml('it has a tag or text that is too long');
      yield* this.#read(token);
      this.#line += token.split('\n').length - 1;
      start = end;
    }
    this.#open = this.#open.slice(start);
    if (this.#open.length > MAX_TOKEN) throw new UnreadXml('it has a tag or text that is too long');
  }

  /** Where the token that begins at `start` ends; -1 if its end has not come. */
  #endOfToken(start: number): number {
    if (this.#open[start] !== '<') return this.#open.indexOf('<', start);
    if (this.#open.startsWith('<!--', start)) return after(this.#open, '-->', start + 4);
    return after(this.#open, '>', start);
  }

  *#read(token: string): Generator<XmlToken, void, undefined> {
    if (token.startsWith('<!--') || /^<\?xml\s/.test(token)) return;
    if (!token.startsWith('<')) {
      if (this.#path.length > 0) yield { kind: 'text', text: decode(token) };
      else if (token.trim() !== '') throw new UnreadXml('it has a text outside of all tags');
      return;
    }
    const [, name, attributes = '', slash, closed] = TAG.exec(token) ?? [];
    if (name !== undefined) {
      if (this.#path.push(name) > MAX_DEPTH) throw new UnreadXml('its tags are nested too deep');
      this.#hasRoot = true;
      yield { kind: 'open', name, attributes: attributesOf(attributes), line: this.#line };
    }
    const end = closed ?? (slash === '/' ? name : undefined);
    if (name === undefined && closed === undefined)
      throw new UnreadXml('it has a DTD, CDATA, or a malformed tag');
    if (end === undefined) return;
    if (this.#path.pop() !== end) throw new UnreadXml('its tags are not nested');
    yield { kind: 'close' };
  }
}

function after(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at === -1 ? -1 : at + end.length;
}

function attributesOf(text: string): Readonly<Record<string, string>> {
  const found = [...text.matchAll(EACH_ATTRIBUTE)];
  return Object.fromEntries(found.map(([, name = '', one, other = '']) => [name, decode(one ?? other)]));
}

function decode(text: string): string {
  return text.replace(/&([^;&]{0,10};)?/g, (_, entity: string | undefined) => {
    const decoded = ENTITIES.get(entity?.slice(0, -1) ?? '');
    if (decoded === undefined) throw new UnreadXml('it has an entity that is not one of XML itself');
    return decoded;
  });
}
