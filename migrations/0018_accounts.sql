-- People: their accounts, how they prove who they are, and the sessions in which they work.
--
-- A person may be a member of several tenants, so an account belongs to none: these tables are the platform's. What a person wrote
-- for a tenant is in the tables of tenants. Passwords are here as argon2id hashes, tokens and codes as SHA-256, and what the platform
-- has to know again is sealed under the secrets key.

-- What is done by people and by their machines is audited too.
ALTER TABLE audit_log DROP CONSTRAINT audit_log_actor_kind_check;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_actor_kind_check
    CHECK (actor_kind IN ('operator', 'system', 'member', 'service')) NOT VALID;
ALTER TABLE audit_log VALIDATE CONSTRAINT audit_log_actor_kind_check;

CREATE TABLE accounts (
    id                  uuid PRIMARY KEY,
    -- Canonical: lower case, no blanks around it.
    email               text NOT NULL,
    name                text NOT NULL,
    -- In the form of PHC strings; NULL until the person has chosen a password.
    password_hash       text,
    password_changed_at timestamptz,
    -- When it was proven that the address is the person's. Without it nobody logs in.
    verified_at         timestamptz,
    revision            bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_email_key UNIQUE (email),
    CONSTRAINT accounts_email_check CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email) AND email ~ '^[^[:cntrl:][:space:]@]+@[^[:cntrl:][:space:]@]+$'),
    CONSTRAINT accounts_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT accounts_password_hash_check CHECK (password_hash LIKE '$argon2id$%' AND char_length(password_hash) <= 200)
);

-- The second factor of an account (RFC 6238). A secret that is not confirmed yet is asked from nobody.
CREATE TABLE totp_factors (
    account_id    uuid PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    secret_sealed bytea NOT NULL,
    confirmed_at  timestamptz,
    -- The last time step whose code was taken: no code is taken twice.
    last_step     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    CONSTRAINT totp_factors_secret_sealed_check CHECK (octet_length(secret_sealed) <= 200)
);

-- What stands in for a lost second factor, each once.
CREATE TABLE recovery_codes (
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- SHA-256 of the code and the account.
    digest     bytea NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (account_id, digest),
    CONSTRAINT recovery_codes_digest_check CHECK (octet_length(digest) = 32)
);

-- A login, on one device. It is the family of its refresh tokens: when it ends, they all do.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- When a second factor was given; NULL if none was.
    mfa_at       timestamptz,
    source       inet,
    user_agent   text,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    -- The end that no refresh moves.
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    CONSTRAINT sessions_user_agent_check CHECK (char_length(user_agent) <= 200)
);
CREATE INDEX sessions_account_id ON sessions (account_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    digest           bytea PRIMARY KEY,
    session_id       uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    -- When it was exchanged, and for what: sealed under a key that is made of the token itself, so that the database alone opens nothing.
    used_at          timestamptz,
    successor_sealed bytea,
    CONSTRAINT refresh_tokens_digest_check CHECK (octet_length(digest) = 32),
    CONSTRAINT refresh_tokens_used_at_check CHECK ((used_at IS NULL) = (successor_sealed IS NULL)),
    CONSTRAINT refresh_tokens_successor_sealed_check CHECK (octet_length(successor_sealed) <= 200)
);
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);

-- What is sent by e-mail to prove that the address is somebody's.
CREATE TABLE email_tokens (
    -- SHA-256 of the token.
    digest     bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    purpose    text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT email_tokens_digest_check CHECK (octet_length(digest) = 32),
    CONSTRAINT email_tokens_purpose_check CHECK (purpose IN ('verify', 'reset'))
);
CREATE INDEX email_tokens_account_id ON email_tokens (account_id);
CREATE INDEX email_tokens_expires_at ON email_tokens (expires_at);

-- How often something was tried of late, so that limits hold over all replicas. The subject is a digest: what was tried may be
-- somebody's address, or a password that went into the wrong field.
CREATE TABLE login_failures (
    kind         text NOT NULL,
    subject      bytea NOT NULL,
    -- The window begins with the first failure.
    window_start timestamptz NOT NULL,
    failures     integer NOT NULL,
    PRIMARY KEY (kind, subject),
    CONSTRAINT login_failures_kind_check CHECK (kind ~ '^[a-z_]{1,40}$'),
    CONSTRAINT login_failures_subject_check CHECK (octet_length(subject) = 32)
);
CREATE INDEX login_failures_window_start ON login_failures (window_start);

-- The addresses from which somebody has logged in of late: what others try there does not stop them.
CREATE TABLE login_sources (
    account_id   uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- An IPv4 address, or the /64 of an IPv6 address.
    source       inet NOT NULL,
    last_good_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, source)
);

-- What signs access tokens. A key signs for a day; it is published until its last token is over.
CREATE TABLE access_token_keys (
    id             uuid PRIMARY KEY,
    public_key     bytea NOT NULL,
    secret_sealed  bytea NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT access_token_keys_public_key_check CHECK (octet_length(public_key) = 32),
    CONSTRAINT access_token_keys_secret_sealed_check CHECK (octet_length(secret_sealed) <= 200)
);

-- E-mail that is to be sent. It carries tokens, so its text is sealed; it is removed when it has been sent.
CREATE TABLE mail_outbox (
    id              uuid PRIMARY KEY,
    message_sealed  bytea NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    -- After which nobody would want it any more.
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    CONSTRAINT mail_outbox_message_sealed_check CHECK (octet_length(message_sealed) <= 65536)
);
CREATE INDEX mail_outbox_next_attempt_at ON mail_outbox (next_attempt_at);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE totp_factors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE email_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE login_failures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE login_sources ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE access_token_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY platform ON accounts TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON totp_factors TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON recovery_codes TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON sessions TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON refresh_tokens TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON email_tokens TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON login_failures TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON login_sources TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON access_token_keys TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform ON mail_outbox TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform') WITH CHECK (current_setting('tenantry.scope', true) = 'platform');

-- A request of a person sees that person's own account and sessions, before it is known what else it may see.
CREATE POLICY own ON accounts FOR SELECT TO tenantry_admin
    USING (id = NULLIF(current_setting('tenantry.account_id', true), '')::uuid);
CREATE POLICY own ON sessions FOR SELECT TO tenantry_admin
    USING (account_id = NULLIF(current_setting('tenantry.account_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON
    accounts, totp_factors, recovery_codes, sessions, refresh_tokens, email_tokens, login_failures, login_sources, access_token_keys,
    mail_outbox
    TO tenantry_admin;
