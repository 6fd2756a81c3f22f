-- What belongs to no tenant: the operators' tokens, and the answers kept for repeated requests.

CREATE TABLE operator_tokens (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    -- SHA-256 of the token.
    digest     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT operator_tokens_digest_key UNIQUE (digest),
    CONSTRAINT operator_tokens_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT operator_tokens_digest_check CHECK (octet_length(digest) = 32)
);

ALTER TABLE operator_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- Every request is authenticated before its scope is known.
CREATE POLICY read ON operator_tokens FOR SELECT TO tenantry_admin USING (true);
CREATE POLICY platform ON operator_tokens TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, INSERT, UPDATE ON operator_tokens TO tenantry_admin;

-- Scoped by who asks, not by tenant: only hashes, and answers that are sealed by the program that stores them.
CREATE TABLE idempotency_keys (
    principal_hash bytea NOT NULL,
    key_hash       bytea NOT NULL,
    request_hash   bytea NOT NULL,
    status         smallint,
    sealed_body    bytea,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal_hash, key_hash),
    CONSTRAINT idempotency_keys_hash_check CHECK (
        octet_length(principal_hash) = 32 AND octet_length(key_hash) = 32 AND octet_length(request_hash) = 32
    ),
    CONSTRAINT idempotency_keys_status_check CHECK (status BETWEEN 100 AND 599),
    CONSTRAINT idempotency_keys_sealed_body_check CHECK (octet_length(sealed_body) <= 4194304)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO tenantry_admin;
