-- The registry: tenants, their sites, and the hostnames of the sites.
--
-- Every unique key of a tenant's table begins with the tenant, so that no tenant can learn from a conflict what another
-- has. The registry has the exceptions, because these names are shared by all: tenants.slug, sites.slug, hostnames.name.

CREATE TABLE tenants (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    slug       text,
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    CONSTRAINT tenants_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT tenants_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- A tenant's transaction sees and locks its own row; making and removing tenants is platform work.
CREATE POLICY tenant_read ON tenants FOR SELECT TO tenantry_admin
    USING (id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY tenant_lock ON tenants FOR UPDATE TO tenantry_admin
    USING (id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY platform ON tenants TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO tenantry_admin;

CREATE TABLE sites (
    tenant_id           uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id                  uuid NOT NULL,
    name                text NOT NULL,
    slug                text NOT NULL,
    environment         text NOT NULL,
    forward_credentials boolean NOT NULL DEFAULT false,
    revision            bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT sites_slug_key UNIQUE (slug),
    CONSTRAINT sites_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT sites_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT sites_environment_check CHECK (environment IN ('live', 'test'))
);
-- xds-server knows a site by its id alone, and reads all of them in the order of their ids.
CREATE INDEX sites_id ON sites (id);

ALTER TABLE sites ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sites TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON sites FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON sites TO tenantry_admin;
GRANT SELECT (tenant_id, id, forward_credentials) ON sites TO tenantry_xds;

CREATE TABLE hostnames (
    tenant_id    uuid NOT NULL,
    site_id      uuid NOT NULL,
    id           uuid NOT NULL,
    -- The whole canonical name: lower case, no port, no trailing dot.
    name         text NOT NULL,
    -- The site's own `<slug>.<base domain>`, made and removed with the site.
    is_site_name boolean NOT NULL DEFAULT false,
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT hostnames_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT hostnames_name_key UNIQUE (name),
    CONSTRAINT hostnames_name_check CHECK (
        octet_length(name) <= 253
        AND name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$'
    )
);

ALTER TABLE hostnames ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON hostnames TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON hostnames FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON hostnames TO tenantry_admin;
GRANT SELECT (tenant_id, site_id, name) ON hostnames TO tenantry_xds;
