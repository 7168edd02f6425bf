-- Migration: 005_address_binding
-- Description: Add which credentials are bound to the address of their proxy

-- Up
-- 3: bound to the protocol, host and port of its proxy, besides the id. NULL: bound by an older version, not bound, or not
-- known. Nothing depends on it but counting: the ciphertext authenticates what it is bound to.
ALTER TABLE encrypted_credentials ADD COLUMN binding_version INTEGER;

-- Down
-- An older program rejects a credential that is bound to an address (CREDENTIAL_CORRUPT). After Up it is readable again.
ALTER TABLE encrypted_credentials DROP COLUMN binding_version;
