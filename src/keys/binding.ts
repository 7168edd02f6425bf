import { ProxyVaultError } from '../errors.ts';
import type { ProxyAddress } from '../model/proxy.ts';
import { associatedDataOf, openText, type Sealed, seal } from './aes-gcm.ts';
import type { SecretKey } from './secret-key.ts';

const TABLE = 'encrypted_credentials';

/** What AES-256-GCM gave, and what it says of itself; nothing of it is secret. */
export interface EncryptedData extends Sealed {
  /** Which key wrote it: tells a wrong key from damage. */
  keyId?: string | undefined;
  /** The id of the proxy that it is bound to and decrypts for; absent on what the plain `encrypt` gave, which is unbound. */
  boundTo?: string | undefined;
  /** Of a bound one: a login, for `reveal`, or a text, for `decrypt` too. */
  content?: CredentialContent | undefined;
  /** Where that proxy is: it is bound to this too. Absent on one that an older version bound to the id alone. */
  address?: ProxyAddress | undefined;
}

/** What a stored credential holds: a login, or a text as the specification's plain `encrypt` took it. */
export type CredentialContent = 'login' | 'text';

export interface OpenedCredential {
  content: CredentialContent;
  text: string;
  /** What its ciphertext is bound to: the proxy's id and address; by older versions the id alone; or nothing. */
  binding: 'address' | 'id' | 'none';
}

/** What a credential belongs to: one proxy of one database, at its address. */
export interface Place {
  databaseId: string;
  proxyId: string;
  /** As the proxy's row has it now; null if there is no such proxy. */
  address: ProxyAddress | null;
}

/** Encrypts for one proxy at one address: the ciphertext decrypts nowhere else, so it is sent nowhere else. */
export function sealBound(
  key: SecretKey,
  place: Place & { address: ProxyAddress },
  content: CredentialContent,
  text: string,
): EncryptedData {
  const { proxyId, address } = place;
  const sealed = seal(key.key, text, bindingOf(place, address, key.id, content));
  const { protocol, host, port } = address;
  return { ...sealed, keyId: key.id, boundTo: proxyId, content, address: { protocol, host, port } };
}

/**
 * Opens what a row holds, in whichever form it was stored; null if it does not decrypt with this key at this place. The
 * claims of the row only choose which forms are tried: each form authenticates itself.
 */
export function openBound(key: SecretKey, place: Place, stored: EncryptedData): OpenedCredential | null {
  const { boundTo, content = 'login', address } = stored;
  const openAs = (
    content: CredentialContent,
    binding: OpenedCredential['binding'],
    data?: Buffer,
  ): OpenedCredential | null => {
    const text = openText(key.key, stored, data);
    return text === null ? null : { content, binding, text };
  };
  const byId = (content: CredentialContent): OpenedCredential | null =>
    openAs(content, 'id', secondBindingOf(place, key.id, content));
  const byAddress = (content: CredentialContent): OpenedCredential | null =>
    place.address && openAs(content, 'address', bindingOf(place, place.address, key.id, content));
  if (boundTo !== undefined) return (address === undefined ? byId(content) : null) ?? byAddress(content);
  return (
    openAs('text', 'none') ??
    openAs('login', 'id', firstBindingOf(place.proxyId)) ??
    byId('login') ??
    byId('text') ??
    byAddress('login') ??
    byAddress('text')
  );
}

/** What does not decrypt with any key that it may be of. */
export function corruptError({ keyId, boundTo, address }: EncryptedData): ProxyVaultError {
  const isBound = boundTo !== undefined && address !== undefined;
  const message = isBound ? MOVED : keyId === undefined ? UNNAMED : DAMAGED;
  return new ProxyVaultError('CREDENTIAL_CORRUPT', message, { details: { keyNamed: keyId !== undefined } });
}

const MOVED =
  'The credential does not open for its proxy\u2019s address: someone changed the protocol, host or port outside proxyvault, or moved or damaged the row. Send nothing there before you have checked the address. Then restore a backup, or remove the proxy and add it again (`proxyvault remove`, then `proxyvault add`); a program may also set the right address with `ProxyRepository.update`.';
const UNNAMED =
  'The credential does not decrypt: it is damaged, or another key wrote it (it does not say which). Check the address of its proxy; then restore a backup, or store the login again (`proxyvault import` of a list that has it, or `remove` and `add`).';
const DAMAGED =
  'The credential is damaged, or another row\u2019s or database\u2019s: it, or its proxy\u2019s address, was changed after it was stored. Check the address; then restore a backup, or store the login again (`proxyvault import` of a list that has it, or `remove` and `add`).';

function bindingOf(
  { databaseId, proxyId }: Place,
  { protocol, host, port }: ProxyAddress,
  keyId: string,
  content: CredentialContent,
): Buffer {
  return associatedDataOf(
    'proxyvault credential',
    '3',
    content,
    databaseId,
    TABLE,
    proxyId,
    protocol,
    host,
    String(port),
    keyId,
  );
}

/** What bound a credential to the id of its proxy, but not to its address, before version 0.2.0. */
function secondBindingOf({ databaseId, proxyId }: Place, keyId: string, content: CredentialContent): Buffer {
  return associatedDataOf('proxyvault credential', '2', content, databaseId, TABLE, proxyId, keyId);
}

/** What the first version bound logins with. Its lengths are in the byte order of the machine that wrote them. */
function firstBindingOf(proxyId: string): Buffer {
  const parts = ['proxyvault login v1', TABLE, proxyId].map((part) => Buffer.from(part));
  return Buffer.concat(parts.flatMap((part) => [Buffer.from(Uint32Array.of(part.length).buffer), part]));
}
