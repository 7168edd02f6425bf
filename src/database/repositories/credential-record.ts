import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData, OpenedCredential } from '../../keys/binding.ts';
import { type Login, loginSchema } from '../../model/login.ts';
import { PROXY_PROTOCOLS, type ProxyAddress, protocolSchema } from '../../model/proxy.ts';
import { assertId, assertObject, invalidInput } from '../../model/validation.ts';
import type { Row } from '../drivers/driver.ts';
import { BASE64, ID, nullable, oneOf, Table, TEXT, TIME, whole } from './columns.ts';

export const encryptedSchema = z.strictObject({
  ciphertext: z.string(),
  iv: z.string(),
  authTag: z.string(),
  keyId: z.string().optional(),
  boundTo: z.string().optional(),
  content: z.enum(['login', 'text']).optional(),
  address: z.strictObject({ protocol: protocolSchema, host: z.string(), port: z.int() }).optional(),
});

/** A proxy as a credential is bound to it. Every `ProxyConfig` is one. */
export interface AddressedProxy extends ProxyAddress {
  id: string;
}

/** A row as rotation and verification go through them. */
export interface StoredCredential {
  proxyId: string;
  /** Where its proxy is now; null if there is no such proxy, or its address is malformed. */
  address: ProxyAddress | null;
  encrypted: EncryptedData;
  /** INVALID_ROW for a malformed row, whose `encrypted` is not to be used. */
  problem: ProxyVaultError | null;
}

/** `binding_version` of a credential that is bound to the address of its proxy. */
export const BOUND_TO_ADDRESS = 3;

export const ENCRYPTED_CREDENTIALS = new Table('encrypted_credentials', ['proxy_id'], {
  proxy_id: ID,
  encrypted_data: BASE64,
  iv: BASE64,
  auth_tag: BASE64,
  created_at: TIME,
  key_id: nullable(TEXT),
  binding: nullable(oneOf(['login', 'text', 'unbound'])),
  binding_version: nullable(whole(BOUND_TO_ADDRESS, BOUND_TO_ADDRESS)),
});

/** How many credentials a key has of one binding, as their rows say it: `id` is that of older versions. */
export interface CredentialCount {
  keyId: string | null;
  binding: OpenedCredential['binding'];
  rows: number;
}

/** The proxy that is meant; no address if its id was given alone. */
export interface Target {
  id: string;
  address: ProxyAddress | null;
}

export function parseTarget(proxy: string | AddressedProxy): Target {
  if (typeof proxy === 'string') return { id: proxy, address: null };
  const id = assertId(assertObject(proxy, 'proxy').id, 'proxyId');
  return { id, address: parseAddress(proxy) };
}

/** @throws INVALID_INPUT. */
export function parseAddress(proxy: ProxyAddress): ProxyAddress {
  const { protocol, host, port } = assertObject(proxy, 'proxy');
  const address = toAddress({ protocol, host, port });
  if (address) return address;
  throw invalidInput('Give the id of a proxy, or the proxy with protocol, host and port.');
}

/** The address in a row; null if it has none, or one that the library never stored. */
export function toAddress({ protocol, host, port }: Row): ProxyAddress | null {
  const known = PROXY_PROTOCOLS.find((name) => name === protocol);
  if (known === undefined || typeof host !== 'string' || typeof port !== 'number') return null;
  return { protocol: known, host, port };
}

export function isSame(a: ProxyAddress, b: ProxyAddress): boolean {
  return a.protocol === b.protocol && a.host === b.host && a.port === b.port;
}

export function movedError(proxyId: string): ProxyVaultError {
  return new ProxyVaultError(
    'CONFLICT',
    `The address of proxy ${proxyId} was changed after you read it: read the proxy again. If nobody changed it on purpose, check the address first.`,
    { details: { proxyId } },
  );
}

/** Whether an error is about one stored credential, which cannot be read, and not about the key of all of them. */
export function isUnreadable(error: unknown): error is ProxyVaultError {
  if (!(error instanceof ProxyVaultError)) return false;
  return (
    error.code === 'CREDENTIAL_CORRUPT' ||
    (error.code === 'INVALID_ROW' && error.details.table === 'encrypted_credentials')
  );
}

/** The stored login of a proxy, for an import: it replaces one that cannot be read, which does not stop it. */
export type StoredLogin = Login | null | 'unreadable';

/** @throws the error, if it is not about this login alone. */
export function asUnreadable(error: unknown): 'unreadable' {
  // A row that names no key may be sound, and the key a wrong one.
  if (!isUnreadable(error) || error.details.keyNamed === false) throw error;
  return 'unreadable';
}

/** What `save` stored is a password without a username. @throws INVALID_ROW for a login of a newer version. */
export function loginOf(proxyId: string, { content, text }: OpenedCredential): Login {
  if (content === 'text') return { username: '', password: text };
  // It is authenticated, so it is what `store` wrote, or a newer version of the library did.
  const parsed = loginSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new ProxyVaultError(
    'INVALID_ROW',
    `The credentials of proxy ${proxyId} have a form that this version does not know.`,
    { details: { table: 'encrypted_credentials', id: proxyId, proxyId } },
  );
}

/** An error of JSON.parse would quote the text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function toParams(proxyId: string, data: EncryptedData): Record<string, string | number | null> {
  return {
    id: proxyId,
    ciphertext: data.ciphertext,
    iv: data.iv,
    tag: data.authTag,
    key_id: data.keyId ?? null,
    binding: data.boundTo === undefined ? 'unbound' : (data.content ?? 'login'),
    version: data.boundTo === undefined || data.address === undefined ? null : BOUND_TO_ADDRESS,
  };
}

export function toAddressParams(address: ProxyAddress | undefined): Record<string, string | number | null> {
  return { protocol: address?.protocol ?? null, host: address?.host ?? null, port: address?.port ?? null };
}

/** Looks at the ciphertext's type only: what it holds is found out when it is decrypted. @throws INVALID_ROW. */
export function toEncrypted(row: Row): EncryptedData {
  const table = ENCRYPTED_CREDENTIALS;
  const { read } = table;
  const data: EncryptedData = {
    ciphertext: TEXT.is(row.encrypted_data) ? row.encrypted_data : table.refuse(row, 'encrypted_data'),
    iv: TEXT.is(row.iv) ? row.iv : table.refuse(row, 'iv'),
    authTag: TEXT.is(row.auth_tag) ? row.auth_tag : table.refuse(row, 'auth_tag'),
  };
  const keyId = read.key_id(row.key_id, row);
  if (keyId !== null) data.keyId = keyId;
  const binding = read.binding(row.binding, row);
  if (binding === 'login' || binding === 'text') {
    data.boundTo = read.proxy_id(row.proxy_id, row);
    data.content = binding;
    const address = row.binding_version === BOUND_TO_ADDRESS ? toAddress(row) : null;
    if (address) data.address = address;
  }
  return data;
}

export function toStoredCredential(row: Row): StoredCredential {
  const proxyId = ENCRYPTED_CREDENTIALS.read.proxy_id(row.proxy_id, row);
  const address = toAddress(row);
  try {
    return { proxyId, address, encrypted: toEncrypted(row), problem: null };
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return { proxyId, address, encrypted: { ciphertext: '', iv: '', authTag: '' }, problem: error };
  }
}
