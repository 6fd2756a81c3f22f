-- What is set about how requests are treated (the JSON of policy::settings), the plans of a site, and whose tokens it accepts.
--
-- Settings hold only what differs from the defaults: `{}` means that nothing was set.
SET LOCAL lock_timeout = '10s';

ALTER TABLE tenants ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT tenants_settings_check CHECK (jsonb_typeof(settings) = 'object');
ALTER TABLE sites ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT sites_settings_check CHECK (jsonb_typeof(settings) = 'object');
ALTER TABLE apis ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT apis_settings_check CHECK (jsonb_typeof(settings) = 'object');
ALTER TABLE routes ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT routes_settings_check CHECK (jsonb_typeof(settings) = 'object');
ALTER TABLE consumers ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT consumers_settings_check CHECK (jsonb_typeof(settings) = 'object');
ALTER TABLE api_keys ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT api_keys_settings_check CHECK (jsonb_typeof(settings) = 'object');

CREATE TABLE plans (
    tenant_id  uuid NOT NULL,
    site_id    uuid NOT NULL,
    id         uuid NOT NULL,
    -- What the records of credentials name the plan by, in two bytes. It stays the same for the life of the plan.
    number     smallint NOT NULL,
    name       text NOT NULL,
    settings   jsonb NOT NULL DEFAULT '{}',
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT plans_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT plans_name_key UNIQUE (tenant_id, site_id, name),
    CONSTRAINT plans_number_key UNIQUE (tenant_id, site_id, number),
    -- For the reference of consumers, which carries the number along.
    CONSTRAINT plans_id_number_key UNIQUE (tenant_id, site_id, id, number),
    CONSTRAINT plans_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    -- Zero says that a consumer has no plan.
    CONSTRAINT plans_number_check CHECK (number >= 1),
    CONSTRAINT plans_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

ALTER TABLE plans ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON plans TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON plans FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON plans TO tenantry_admin;

CREATE TABLE issuers (
    tenant_id     uuid NOT NULL,
    site_id       uuid NOT NULL,
    id            uuid NOT NULL,
    settings      jsonb NOT NULL,
    -- What tokens have as `iss`. Computed, so that the two cannot disagree.
    issuer        text NOT NULL GENERATED ALWAYS AS (settings ->> 'issuer') STORED,
    -- The shared secret of symmetric algorithms, sealed (store::seal).
    secret_sealed bytea,
    revision      bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT issuers_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT issuers_issuer_key UNIQUE (tenant_id, site_id, issuer),
    CONSTRAINT issuers_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT issuers_issuer_check CHECK (char_length(issuer) BETWEEN 1 AND 512),
    CONSTRAINT issuers_secret_sealed_check CHECK (octet_length(secret_sealed) BETWEEN 28 AND 4096)
);

ALTER TABLE issuers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON issuers TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON issuers FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON issuers TO tenantry_admin;

-- Of a tenant xds-server reads the settings alone.
CREATE POLICY xds_read ON tenants FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT (id, settings) ON tenants TO tenantry_xds;
GRANT SELECT (settings) ON sites TO tenantry_xds;
GRANT SELECT (settings) ON apis TO tenantry_xds;
GRANT SELECT (settings) ON routes TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, id, number, settings) ON plans TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, id, settings, secret_sealed) ON issuers TO tenantry_xds;
