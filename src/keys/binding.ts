import { ProxyVaultError } from '../errors.ts';
import type { ProxyAddress } from '../model/proxy.ts';
import { associatedDataOf, openText, seal } from './aes-gcm.ts';
import type { CredentialContent, EncryptedData, OpenedCredential } from './credential-cipher.ts';
import type { SecretKey } from './secret-key.ts';

const TABLE = 'encrypted_credentials';

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
  for (const { content, binding, data } of formsOf(key.id, place, stored)) {
    const text = openText(key.key, stored, data());
    if (text !== null) return { content, binding, text };
  }
  return null;
}

/** What does not decrypt with any key that it may be of. */
export function corruptError(stored: EncryptedData): ProxyVaultError {
  return new ProxyVaultError('CREDENTIAL_CORRUPT', corruptMessage(stored), {
    details: { keyNamed: stored.keyId !== undefined },
  });
}

function corruptMessage({ keyId, boundTo, address }: EncryptedData): string {
  if (boundTo !== undefined && address !== undefined)
    return 'The credential does not open for its proxy\u2019s address: someone changed the protocol, host or port outside proxyvault, or moved or damaged the row. Send nothing there before you have checked the address. Then restore a backup, or remove the proxy and add it again (`proxyvault remove`, then `proxyvault add`); a program may also set the right address with `ProxyRepository.update`.';
  if (keyId === undefined)
    return 'The credential does not decrypt: it is damaged, or another key wrote it (it does not say which). Check the address of its proxy; then restore a backup, or store the login again (`proxyvault import` of a list that has it, or `remove` and `add`).';
  return 'The credential is damaged, or another row\u2019s or database\u2019s: it, or its proxy\u2019s address, was changed after it was stored. Check the address; then restore a backup, or store the login again (`proxyvault import` of a list that has it, or `remove` and `add`).';
}

/** A way in which a credential may have been encrypted. */
interface Form {
  content: CredentialContent;
  binding: OpenedCredential['binding'];
  data: () => Buffer | undefined;
}

function formsOf(keyId: string, place: Place, { boundTo, content, address }: EncryptedData): Form[] {
  const toAddress = (content: CredentialContent): Form[] => {
    const { address } = place;
    if (address === null) return [];
    return [{ content, binding: 'address', data: () => bindingOf(place, address, keyId, content) }];
  };
  const toId = (content: CredentialContent): Form => ({
    content,
    binding: 'id',
    data: () => secondBindingOf(place, keyId, content),
  });
  if (boundTo !== undefined) {
    const known = content ?? 'login';
    return address === undefined ? [toId(known), ...toAddress(known)] : toAddress(known);
  }
  return [
    { content: 'text', binding: 'none', data: () => undefined },
    { content: 'login', binding: 'id', data: () => firstBindingOf(place.proxyId) },
    toId('login'),
    toId('text'),
    ...toAddress('login'),
    ...toAddress('text'),
  ];
}

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
