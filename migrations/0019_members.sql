-- Who may do what in a tenant: its members, those who are invited, and the service tokens of its programs; and whether the tenant
-- is served at all.
--
-- What somebody may do (`role` and `sites`) is the same in all three. `role` is the role in the tenant as a whole, NULL for who is in some
-- sites alone. `sites` is an object of roles by the ids of sites: there, they stand in place of the other. The id of a site that is
-- gone does no harm, for no other site ever gets it.
SET LOCAL lock_timeout = '10s';

ALTER TABLE tenants
    -- `suspended`: traffic is refused, and members may only read. `closing`: it is served until `closes_at`, and erased after it.
    ADD COLUMN status text NOT NULL DEFAULT 'active',
    -- What members are told of it.
    ADD COLUMN status_reason text,
    ADD COLUMN closes_at timestamptz,
    -- Whether sessions without a second factor are turned away.
    ADD COLUMN require_mfa boolean NOT NULL DEFAULT false,
    -- Whom to write to: an array of objects.
    ADD COLUMN contacts jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'closing')),
    ADD CONSTRAINT tenants_status_reason_check CHECK (char_length(status_reason) BETWEEN 1 AND 200 AND status_reason !~ '[[:cntrl:]]'),
    ADD CONSTRAINT tenants_closes_at_check CHECK ((status = 'closing') = (closes_at IS NOT NULL)),
    ADD CONSTRAINT tenants_contacts_check CHECK (jsonb_typeof(contacts) = 'array');
CREATE INDEX tenants_closes_at ON tenants (closes_at) WHERE closes_at IS NOT NULL;
GRANT SELECT (status, closes_at) ON tenants TO tenantry_xds;

CREATE TABLE members (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES accounts (id),
    role       text,
    sites      jsonb NOT NULL DEFAULT '{}',
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, account_id),
    CONSTRAINT members_role_check CHECK (role IN ('viewer', 'developer', 'admin')),
    CONSTRAINT members_sites_check CHECK (jsonb_typeof(sites) = 'object')
);
CREATE INDEX members_account_id ON members (account_id);

CREATE TABLE invitations (
    tenant_id   uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          uuid NOT NULL,
    -- In lower case, as accounts have it.
    email       text NOT NULL,
    role        text,
    sites       jsonb NOT NULL DEFAULT '{}',
    -- SHA-256 of the token in its link.
    digest      bytea NOT NULL,
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invitations_email_check CHECK (char_length(email) BETWEEN 3 AND 254 AND email !~ '[[:cntrl:][:space:]]'),
    CONSTRAINT invitations_role_check CHECK (role IN ('viewer', 'developer', 'admin')),
    CONSTRAINT invitations_sites_check CHECK (jsonb_typeof(sites) = 'object'),
    CONSTRAINT invitations_digest_check CHECK (octet_length(digest) = 32)
);
CREATE INDEX invitations_digest ON invitations (digest);

CREATE TABLE service_tokens (
    tenant_id    uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           uuid NOT NULL,
    name         text NOT NULL,
    -- The beginning and the end of its text, to tell tokens apart.
    hint         text NOT NULL,
    -- SHA-256 of the token.
    digest       bytea NOT NULL,
    role         text,
    sites        jsonb NOT NULL DEFAULT '{}',
    -- What it may do of what its role may; all of it if this is empty.
    scopes       text[] NOT NULL DEFAULT '{}',
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT service_tokens_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT service_tokens_hint_check CHECK (char_length(hint) <= 20),
    CONSTRAINT service_tokens_digest_check CHECK (octet_length(digest) = 32),
    CONSTRAINT service_tokens_role_check CHECK (role IN ('viewer', 'developer', 'admin')),
    CONSTRAINT service_tokens_sites_check CHECK (jsonb_typeof(sites) = 'object'),
    CONSTRAINT service_tokens_scopes_check CHECK (cardinality(scopes) <= 64)
);
CREATE INDEX service_tokens_digest ON service_tokens (digest);

ALTER TABLE members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON members TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invitations TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
ALTER TABLE service_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON service_tokens TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
-- Who a caller is has to be known before any tenant is; and a person may ask for all the tenants that they are in.
CREATE POLICY platform_read ON members FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform_read ON invitations FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform_read ON service_tokens FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, INSERT, UPDATE, DELETE ON members, invitations, service_tokens TO tenantry_admin;

-- The two questions that precede a request. Each is one statement, and so one round trip: the functions have the platform's scope for as
-- long as they run, under the caller's own role. (A SET clause would say it shorter, and needs a superuser for settings like this one.)

-- What an account is in a tenant, in a session that has not ended; no row if it has. Without a tenant, or in one where it is not a
-- member, only `mfa` is there.
CREATE FUNCTION account_standing(of_account uuid, in_session uuid, in_tenant uuid)
RETURNS TABLE (mfa boolean, is_member boolean, role text, sites jsonb, status text, require_mfa boolean)
LANGUAGE plpgsql AS $$
DECLARE
    scope_before text := coalesce(current_setting('tenantry.scope', true), '');
BEGIN
    PERFORM set_config('tenantry.scope', 'platform', true);
    RETURN QUERY
        SELECT s.mfa_at IS NOT NULL, m.account_id IS NOT NULL, m.role, m.sites, t.status, t.require_mfa
        FROM sessions s
        LEFT JOIN members m ON m.account_id = s.account_id AND m.tenant_id = in_tenant
        LEFT JOIN tenants t ON t.id = m.tenant_id
        WHERE s.id = in_session AND s.account_id = of_account AND s.revoked_at IS NULL AND s.expires_at > now();
    PERFORM set_config('tenantry.scope', scope_before, true);
END
$$;

-- The service token with a digest, unless it has ended.
CREATE FUNCTION service_standing(of_digest bytea)
RETURNS TABLE (tenant_id uuid, id uuid, role text, sites jsonb, scopes text[], expires_at timestamptz, status text, is_noted boolean)
LANGUAGE plpgsql AS $$
DECLARE
    scope_before text := coalesce(current_setting('tenantry.scope', true), '');
BEGIN
    PERFORM set_config('tenantry.scope', 'platform', true);
    RETURN QUERY
        SELECT k.tenant_id, k.id, k.role, k.sites, k.scopes, k.expires_at, t.status,
               coalesce(k.last_used_at > now() - interval '1 minute', false)
        FROM service_tokens k
        JOIN tenants t ON t.id = k.tenant_id
        WHERE k.digest = of_digest AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    PERFORM set_config('tenantry.scope', scope_before, true);
END
$$;
