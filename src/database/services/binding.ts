import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../types.ts';
import { associatedDataOf, openText, seal } from './aes-gcm.ts';
import type { CredentialContent } from './credential-cipher.ts';
import type { SecretKey } from './secret-key.ts';

const TABLE = 'encrypted_credentials';

/** Encrypts for one row of one database: the ciphertext decrypts nowhere else. */
export function sealBound(
  key: SecretKey,
  databaseId: string,
  proxyId: string,
  content: CredentialContent,
  text: string,
): EncryptedData {
  const data = bindingOf(databaseId, proxyId, key.id, content);
  return { ...seal(key.key, text, data), keyId: key.id, boundTo: proxyId, content };
}

/**
 * What a row holds, in whichever form it was stored; null if it does not decrypt with this key. Which form it is need not
 * be believed: it is authenticated.
 */
export function openBound(
  key: SecretKey,
  databaseId: string,
  proxyId: string,
  stored: EncryptedData,
): { content: CredentialContent; text: string } | null {
  const bound = (content: CredentialContent): Form => [
    content,
    bindingOf(databaseId, proxyId, key.id, content),
  ];
  const forms: Form[] =
    stored.boundTo === undefined
      ? [['text', undefined], ['login', firstBindingOf(proxyId)], bound('login'), bound('text')]
      : [bound(stored.content ?? 'login')];
  for (const [content, data] of forms) {
    const text = openText(key.key, stored, data);
    if (text !== null) return { content, text };
  }
  return null;
}

/** What does not decrypt with any key that it may be of. */
export function corruptError(keyId: string | undefined): ProxyVaultError {
  return new ProxyVaultError(
    'CREDENTIAL_CORRUPT',
    keyId === undefined
      ? 'The credential does not decrypt: it is damaged, or another key wrote it (it does not say which). Restore a backup, or store it anew.'
      : 'The credential is damaged, or another row\u2019s or database\u2019s: it was changed after it was stored. Restore a backup, or store it anew.',
  );
}

type Form = readonly [CredentialContent, Buffer | undefined];

function bindingOf(databaseId: string, proxyId: string, keyId: string, content: CredentialContent): Buffer {
  return associatedDataOf('proxyvault credential', '2', content, databaseId, TABLE, proxyId, keyId);
}

/** What version 0.1.0 bound logins with. Its lengths are in the order of the machine that wrote them. */
function firstBindingOf(proxyId: string): Buffer {
  const parts = ['proxyvault login v1', TABLE, proxyId].map((part) => Buffer.from(part));
  return Buffer.concat(parts.flatMap((part) => [Buffer.from(Uint32Array.of(part.length).buffer), part]));
}
