import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';

/**
 * The stored formats, written down a second time with node:crypto alone. The library must write exactly this: every
 * constant here is in users' files, so none of them ever changes.
 */

/** Another key of 32 bytes, or so many bytes as are asked for. */
export function derived(key: Buffer, label: string, bytes = 32): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', label, bytes));
}

export function keyIdOf(key: Buffer): string {
  return derived(key, 'proxyvault key id v1', 8).toString('hex');
}

export function checkValueOf(key: Buffer): string {
  return derived(key, 'proxyvault key check value v1', 16).toString('hex');
}

/** The key of the fingerprints that a database takes whose first key-encryption key is this. */
export function fingerprintKeyOf(root: Buffer): Buffer {
  return derived(root, 'proxyvault username fingerprint v1');
}

export function usernameFingerprint(key: Buffer, username: string): string {
  return shortHmac(key, username);
}

export function passwordFingerprint(key: Buffer, username: string, password: string): string {
  return shortHmac(derived(key, 'proxyvault password fingerprint v1'), `${username}\0${password}`);
}

/** AES-256-GCM with a tag of 16 bytes, in base64, under an IV that was drawn. */
export function sealed(
  key: Buffer,
  iv: string,
  plaintext: string | Buffer,
  data: readonly string[] | null,
): { ciphertext: string; tag: string } {
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: 16 });
  if (data) cipher.setAAD(Buffer.concat(data.flatMap((part) => [lengthOf(part), Buffer.from(part)])));
  const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext;
  const ciphertext = Buffer.concat([cipher.update(bytes), cipher.final()]).toString('base64');
  return { ciphertext, tag: cipher.getAuthTag().toString('base64') };
}

/** A key that another one wraps, for a place: the id of the database and the table or secret, or `keyring` and its protection. */
export function wrapped(
  by: Buffer,
  key: Buffer,
  iv: string,
  place: readonly [string, string],
): { keyId: string; kekId: string; wrappedKey: string; iv: string; tag: string; keyCheckValue: string } {
  const data = ['proxyvault wrapped key', '1', ...place, keyIdOf(key), keyIdOf(by)];
  const { ciphertext, tag } = sealed(derived(by, 'proxyvault key wrapping v1'), iv, key, data);
  return {
    keyId: keyIdOf(key),
    kekId: keyIdOf(by),
    wrappedKey: ciphertext,
    iv,
    tag,
    keyCheckValue: checkValueOf(key),
  };
}

/** What a credential is bound to. */
export function bindingOf(
  content: 'login' | 'text',
  databaseId: string,
  proxy: { id: string; protocol: string; host: string; port: number },
  keyId: string,
): string[] {
  const { id, protocol, host, port } = proxy;
  const table = 'encrypted_credentials';
  return ['proxyvault credential', '3', content, databaseId, table, id, protocol, host, String(port), keyId];
}

/** The key that a recovery code stands for, read from its first 32 characters; its last four are checked. */
export function recoveryKeyOf(code: string): Buffer {
  const characters = code.replaceAll('-', '');
  const secret = decodeBase32(characters.slice(0, 32));
  const check = encodeBase32(createHash('sha256').update(secret).digest().subarray(0, 5)).slice(0, 4);
  if (characters.slice(32) !== check) throw new Error(`The check characters of ${code} are not ${check}.`);
  return derived(secret, 'proxyvault recovery key v1');
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function decodeBase32(text: string): Buffer {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

function encodeBase32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five, 2)]).join('');
}

function shortHmac(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest().subarray(0, 16).toString('base64url');
}

function lengthOf(part: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Buffer.byteLength(part));
  return bytes;
}
