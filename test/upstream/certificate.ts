import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** What a TLS server needs. The certificate signs itself, so that it is also the one to trust. */
export interface Certificate {
  key: string;
  cert: string;
}

const DAY = 86_400_000;

/** A certificate for 127.0.0.1, ::1 and `localhost`, or for other names. Node has none of its own making, so this writes the DER of X.509. */
export function certificate({ names = ['localhost'], days = 1 } = {}): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from('proxyvault test')))));
  const [from, until] = [new Date(Date.now() - 2 * DAY), new Date(Date.now() + days * DAY)];
  const body = sequence(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.from([1])),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(alternativeNames(names), authority())),
  );
  const signature = sign('sha256', body, privateKey);
  const bytes = sequence(body, algorithm, der(3, Buffer.from([0]), signature));
  return { key: pem(privateKey), cert: block('CERTIFICATE', bytes) };
}

function alternativeNames(names: readonly string[]): Buffer {
  const addresses = names.includes('localhost')
    ? [Buffer.from([127, 0, 0, 1]), Buffer.from([...new Array<number>(15).fill(0), 1])]
    : [];
  const all = [
    ...names.map((each) => der(0x82, Buffer.from(each))),
    ...addresses.map((each) => der(0x87, each)),
  ];
  return sequence(oid('551d11'), der(4, sequence(...all)));
}

/** It may sign certificates: its own. */
function authority(): Buffer {
  return sequence(oid('551d13'), der(1, Buffer.from([0xff])), der(4, sequence(der(1, Buffer.from([0xff])))));
}

function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(0x18, Buffer.from(text));
}

function oid(hex: string): Buffer {
  return der(6, Buffer.from(hex, 'hex'));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function block(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
