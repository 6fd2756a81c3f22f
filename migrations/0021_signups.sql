-- Organisations that sign up by themselves. A row is gone once its tenant is made, or nobody has come for it in time.
CREATE TABLE signups (
    id            uuid PRIMARY KEY,
    email         text NOT NULL,
    name          text NOT NULL,
    password_hash text NOT NULL,
    -- What is to be made: the organisation, its first site, and the template of that.
    wish          jsonb NOT NULL,
    -- SHA-256 of the token that was sent to the address.
    digest        bytea,
    -- Since when it waits for an operator; NULL while the address is not proven.
    waiting_since timestamptz,
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT signups_digest_key UNIQUE (digest),
    CONSTRAINT signups_email_check CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    CONSTRAINT signups_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT signups_password_hash_check CHECK (password_hash LIKE '$argon2id$%' AND char_length(password_hash) <= 200),
    CONSTRAINT signups_wish_check CHECK (jsonb_typeof(wish) = 'object' AND octet_length(wish::text) <= 4096),
    CONSTRAINT signups_digest_check CHECK (octet_length(digest) = 32)
);
CREATE INDEX signups_expires_at ON signups (expires_at);

ALTER TABLE signups ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON signups TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, INSERT, UPDATE, DELETE ON signups TO tenantry_admin;
