import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import type { Row } from '../drivers/driver.ts';
import type { OpenedCredential } from '../services/credential-cipher.ts';
import { type EncryptedData, type Login, PROXY_PROTOCOLS, type ProxyAddress } from '../types.ts';
import { assertId, assertObject } from '../validation.ts';

/** RFC 1929 allows 255 bytes for SOCKS5; HTTP proxies and their session options take more. */
const part = z
  .string()
  .max(1024)
  .regex(/^\P{Cc}*$/u, 'has a control character')
  .refine((text) => text.isWellFormed(), 'is not well-formed');

/** What logs in at a proxy: not both may be empty. */
export const loginSchema = z
  .strictObject({ username: part, password: part })
  .refine(
    ({ username, password }) => username !== '' || password !== '',
    'username and password are both empty',
  );

export const encryptedSchema = z.strictObject({
  ciphertext: z.string(),
  iv: z.string(),
  authTag: z.string(),
  keyId: z.string().optional(),
  boundTo: z.string().optional(),
  content: z.enum(['login', 'text']).optional(),
  address: z.strictObject({ protocol: z.enum(PROXY_PROTOCOLS), host: z.string(), port: z.int() }).optional(),
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
}

/** `binding_version` of a credential that is bound to the address of its proxy. */
export const BOUND_TO_ADDRESS = 3;

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
  const address = toAddress({ protocol: proxy.protocol, host: proxy.host, port: proxy.port });
  if (address) return { id, address };
  throw new ProxyVaultError(
    'INVALID_INPUT',
    'Give the id of a proxy, or the proxy with protocol, host and port.',
  );
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

export function malformedAddress(proxyId: string): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_ROW',
    `proxies ${proxyId}: the address is malformed. Set protocol, host and port again, or delete the proxy.`,
    { details: { table: 'proxies', id: proxyId } },
  );
}

export function notFoundThere(proxyId: string): ProxyVaultError {
  return new ProxyVaultError(
    'NOT_FOUND',
    `There is no proxy ${JSON.stringify(proxyId)} at the address that the credential is for: it was changed or removed. Read the proxy again. Nothing was stored.`,
    { details: { id: proxyId } },
  );
}

export function toLogin(proxyId: string, text: string): Login {
  // It is authenticated, so it is what `store` wrote, or a newer version of the library did.
  const parsed = loginSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new ProxyVaultError(
    'INVALID_ROW',
    `The credentials of proxy ${proxyId} have a form that this version does not know.`,
    { details: { proxyId } },
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

export function toEncrypted(row: Row): EncryptedData {
  const data: EncryptedData = {
    ciphertext: row.encrypted_data as string,
    iv: row.iv as string,
    authTag: row.auth_tag as string,
  };
  if (row.key_id !== null) data.keyId = row.key_id as string;
  if (row.binding === 'login' || row.binding === 'text') {
    data.boundTo = row.proxy_id as string;
    data.content = row.binding;
    const address = row.binding_version === BOUND_TO_ADDRESS ? toAddress(row) : null;
    if (address) data.address = address;
  }
  return data;
}

export function toStoredCredential(row: Row): StoredCredential {
  return { proxyId: String(row.proxy_id), address: toAddress(row), encrypted: toEncrypted(row) };
}
