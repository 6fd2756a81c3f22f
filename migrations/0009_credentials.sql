-- The plan of a consumer, its signing keys, and the names that tokens give to it.
--
-- All three kinds of credentials (api_keys, signing_keys, consumer_subjects) are records of the same buckets, found by their
-- digests. A record says which plan its consumer has, and whether there are settings of the consumer. A million records are
-- read at once, so both are carried by each row: as part of the reference to the consumer, by which PostgreSQL itself keeps
-- them equal, and which passes a change on (ON UPDATE CASCADE).
SET LOCAL lock_timeout = '10s';

-- The bucket of a consumer: the last 16 bits of its id, big endian (policy::consumer::bucket_of).
CREATE FUNCTION consumer_bucket(consumer_id uuid) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN get_byte(uuid_send(consumer_id), 14) * 256 + get_byte(uuid_send(consumer_id), 15);

-- The digest of a signing key (policy::key::Digest::of_signing_key).
CREATE FUNCTION signing_key_digest(id uuid) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256('tenantry signing key\000'::bytea || uuid_send(id));

ALTER TABLE consumers
    ADD COLUMN plan_id uuid,
    ADD COLUMN plan_number smallint NOT NULL DEFAULT 0,
    -- Whether Envoys have to know more of the consumer than its credentials. Its subjects are credentials.
    ADD COLUMN has_settings boolean NOT NULL GENERATED ALWAYS AS (settings - 'subjects' <> '{}'::jsonb) STORED,
    ADD CONSTRAINT consumers_plan_fkey FOREIGN KEY (tenant_id, site_id, plan_id, plan_number)
        REFERENCES plans (tenant_id, site_id, id, number),
    ADD CONSTRAINT consumers_plan_number_check CHECK ((plan_id IS NULL) = (plan_number = 0)),
    -- For the references of the credentials.
    ADD CONSTRAINT consumers_credential_key UNIQUE (tenant_id, site_id, id, plan_number, has_settings);
CREATE INDEX consumers_plan ON consumers (tenant_id, site_id, plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX consumers_bucket ON consumers (consumer_bucket(id)) WHERE has_settings;

ALTER TABLE api_keys
    ADD COLUMN plan smallint NOT NULL DEFAULT 0,
    ADD COLUMN consumer_has_settings boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT api_keys_consumer_fkey,
    ADD CONSTRAINT api_keys_consumer_fkey FOREIGN KEY (tenant_id, site_id, consumer_id, plan, consumer_has_settings)
        REFERENCES consumers (tenant_id, site_id, id, plan_number, has_settings) ON UPDATE CASCADE ON DELETE CASCADE;
CREATE INDEX api_keys_consumer_bucket ON api_keys (consumer_bucket(consumer_id)) WHERE settings <> '{}' AND revoked_at IS NULL;

CREATE TABLE consumer_subjects (
    tenant_id             uuid NOT NULL,
    site_id               uuid NOT NULL,
    consumer_id           uuid NOT NULL,
    id                    uuid NOT NULL,
    plan                  smallint NOT NULL,
    consumer_has_settings boolean NOT NULL,
    -- Kept equal to `subjects` of the consumer's settings by the program.
    issuer                text NOT NULL,
    value                 text NOT NULL,
    -- policy::key::Digest::of_subject: of the site, `issuer` and `value`.
    digest                bytea NOT NULL,
    bucket                integer NOT NULL GENERATED ALWAYS AS (get_byte(digest, 0) * 256 + get_byte(digest, 1)) STORED,
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT consumer_subjects_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT consumer_subjects_consumer_fkey FOREIGN KEY (tenant_id, site_id, consumer_id, plan, consumer_has_settings)
        REFERENCES consumers (tenant_id, site_id, id, plan_number, has_settings) ON UPDATE CASCADE ON DELETE CASCADE,
    -- One consumer of a site alone has a subject. The digest stands for issuer and value, which may be too long for an index.
    CONSTRAINT consumer_subjects_digest_key UNIQUE (tenant_id, site_id, digest),
    CONSTRAINT consumer_subjects_issuer_check CHECK (char_length(issuer) BETWEEN 1 AND 512),
    CONSTRAINT consumer_subjects_value_check CHECK (char_length(value) BETWEEN 1 AND 512),
    CONSTRAINT consumer_subjects_digest_check CHECK (octet_length(digest) = 32)
);
CREATE INDEX consumer_subjects_consumer ON consumer_subjects (tenant_id, site_id, consumer_id, id);
CREATE INDEX consumer_subjects_bucket ON consumer_subjects (bucket);

CREATE TABLE signing_keys (
    tenant_id             uuid NOT NULL,
    site_id               uuid NOT NULL,
    consumer_id           uuid NOT NULL,
    -- Its text form is the `keyid` of signatures.
    id                    uuid NOT NULL,
    plan                  smallint NOT NULL,
    consumer_has_settings boolean NOT NULL,
    name                  text,
    algorithm             text NOT NULL,
    -- The 32 bytes of an Ed25519 public key, or an HMAC secret, sealed (store::seal).
    public_key            bytea,
    material_sealed       bytea,
    settings              jsonb NOT NULL DEFAULT '{}',
    digest                bytea NOT NULL GENERATED ALWAYS AS (signing_key_digest(id)) STORED,
    bucket                integer NOT NULL GENERATED ALWAYS AS (
        get_byte(signing_key_digest(id), 0) * 256 + get_byte(signing_key_digest(id), 1)
    ) STORED,
    expires_at            timestamptz,
    revoked_at            timestamptz,
    revision              bigint NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT signing_keys_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT signing_keys_consumer_fkey FOREIGN KEY (tenant_id, site_id, consumer_id, plan, consumer_has_settings)
        REFERENCES consumers (tenant_id, site_id, id, plan_number, has_settings) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT signing_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT signing_keys_algorithm_check CHECK (
        (algorithm = 'ed25519' AND octet_length(public_key) = 32 AND public_key IS NOT NULL AND material_sealed IS NULL)
        OR (algorithm = 'hmac-sha256' AND public_key IS NULL AND material_sealed IS NOT NULL)
    ),
    CONSTRAINT signing_keys_material_sealed_check CHECK (octet_length(material_sealed) BETWEEN 28 AND 4096),
    CONSTRAINT signing_keys_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT signing_keys_expires_at_check CHECK (expires_at >= created_at)
);
CREATE INDEX signing_keys_consumer ON signing_keys (tenant_id, site_id, consumer_id, id);
CREATE INDEX signing_keys_bucket ON signing_keys (bucket) WHERE revoked_at IS NULL;
CREATE INDEX signing_keys_consumer_bucket ON signing_keys (consumer_bucket(consumer_id)) WHERE revoked_at IS NULL;

ALTER TABLE consumer_subjects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consumer_subjects TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON consumer_subjects FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON consumer_subjects TO tenantry_admin;

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON signing_keys TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON signing_keys FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO tenantry_admin;

CREATE POLICY xds_read ON consumers FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT (tenant_id, site_id, id, settings, has_settings) ON consumers TO tenantry_xds;
GRANT SELECT (tenant_id, settings, plan, consumer_has_settings) ON api_keys TO tenantry_xds;
GRANT SELECT (site_id, consumer_id, id, plan, consumer_has_settings, digest, bucket) ON consumer_subjects TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, consumer_id, id, plan, algorithm, public_key, material_sealed, settings, digest, bucket,
              expires_at, revoked_at) ON signing_keys TO tenantry_xds;

-- A third kind of change, `consumers`: reload the bucket of consumers.
ALTER TABLE change_log
    DROP CONSTRAINT change_log_kind_check,
    ADD CONSTRAINT change_log_kind_check CHECK (
        (kind = 'site' AND site_id IS NOT NULL AND bucket IS NULL)
        OR (kind IN ('keys', 'consumers') AND site_id IS NULL AND bucket IS NOT NULL AND bucket BETWEEN 0 AND 65535)
    );
