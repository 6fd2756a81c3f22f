-- The callers of a site's APIs, and their keys. Of a key only the SHA-256 digest is kept.

CREATE TABLE consumers (
    tenant_id  uuid NOT NULL,
    site_id    uuid NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL,
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT consumers_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT consumers_name_key UNIQUE (tenant_id, site_id, name),
    CONSTRAINT consumers_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]')
);

ALTER TABLE consumers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consumers TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON consumers TO tenantry_admin;

CREATE TABLE api_keys (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    consumer_id uuid NOT NULL,
    id          uuid NOT NULL,
    name        text,
    digest      bytea NOT NULL,
    -- The first 16 bits of the digest, big endian (policy::key::Digest::bucket). Computed, so that the two cannot disagree.
    bucket      integer NOT NULL GENERATED ALWAYS AS (get_byte(digest, 0) * 256 + get_byte(digest, 1)) STORED,
    -- What may be shown again of the key.
    hint        text NOT NULL,
    -- The key that took this one's place.
    replaced_by uuid,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT api_keys_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT api_keys_consumer_fkey FOREIGN KEY (tenant_id, site_id, consumer_id)
        REFERENCES consumers (tenant_id, site_id, id) ON DELETE CASCADE,
    -- Another exception of the registry: the data plane finds a key by its digest, before it knows the tenant. A digest
    -- cannot be chosen by anyone who cannot choose the key, so a conflict tells nothing.
    CONSTRAINT api_keys_digest_key UNIQUE (digest),
    CONSTRAINT api_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT api_keys_digest_check CHECK (octet_length(digest) = 32),
    CONSTRAINT api_keys_hint_check CHECK (char_length(hint) BETWEEN 1 AND 32),
    CONSTRAINT api_keys_expires_at_check CHECK (expires_at >= created_at)
);
CREATE INDEX api_keys_consumer ON api_keys (tenant_id, site_id, consumer_id, id);
-- A bucket is read by its number; a revoked key is in none.
CREATE INDEX api_keys_bucket ON api_keys (bucket) WHERE revoked_at IS NULL;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON api_keys FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys TO tenantry_admin;
GRANT SELECT (site_id, consumer_id, id, digest, bucket, expires_at, revoked_at) ON api_keys TO tenantry_xds;
