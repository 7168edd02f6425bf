import { types } from 'node:util';
import { invalidInput } from '../model/validation.ts';

import { kindOf, type ListSource, piecesOf } from './source.ts';

const REPLACEMENT = '\uFFFD';
/** The bytes of U+FFFD in UTF-8, as Latin-1 reads them. */
const REPLACEMENT_BYTES = '\u00EF\u00BF\u00BD';
const UNREADABLE = '\uDFFF';
/** No piece is longer, so that what is made of one stays small. */
const MAX_PIECE = 65_536;

/** A list in short texts, from UTF-8 or UTF-16 with a byte order mark. @throws INVALID_INPUT; what the source throws. */
export async function* decodeList(source: ListSource): AsyncGenerator<string, void, undefined> {
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  let begun: Uint8Array = new Uint8Array();
  for await (const piece of piecesOf(source)) {
    if (typeof piece === 'string') {
      yield* cut(piece);
      continue;
    }
    if (!types.isUint8Array(piece))
      throw invalidInput(`A piece of a list is a text or bytes; this is ${kindOf(piece)}.`);
    // The first two bytes say how to read the rest.
    begun = decoder ? piece : Buffer.concat([begun, piece]);
    if (!decoder && begun.length < 2) continue;
    decoder ??= new TextDecoder(encodingOf(begun));
    yield* cut(decodePiece(decoder, begun));
  }
  // What comes at the end without being whole is not genuine.
  const rest = (decoder ?? new TextDecoder()).decode(decoder ? undefined : begun);
  yield rest.replaceAll(REPLACEMENT, UNREADABLE);
}

/** https://encoding.spec.whatwg.org/#bom-sniff */
function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return 'utf-8';
}

/** As the decoder does, but what it cannot read becomes a lone surrogate, which differs from a genuine U+FFFD. */
function decodePiece(decoder: InstanceType<typeof TextDecoder>, piece: Uint8Array): string {
  const text = decoder.decode(piece, { stream: true });
  if (!text.includes(REPLACEMENT)) return text;
  const genuine = Buffer.from(piece).toString('latin1').split(REPLACEMENT_BYTES).length;
  return text.split(REPLACEMENT).length === genuine ? text : text.replaceAll(REPLACEMENT, UNREADABLE);
}

function* cut(text: string): Generator<string, void, undefined> {
  for (let start = 0; start < text.length; start += MAX_PIECE) yield text.slice(start, start + MAX_PIECE);
}
