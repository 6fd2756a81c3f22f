-- What a site publishes: upstreams, APIs, their versions and routes.
--
-- Every table carries (tenant_id, site_id), and every reference is made of (tenant_id, site_id, id): no row can point at
-- another tenant's row, nor at another site's. Each table also references its site directly, so that the removal of a site
-- reaches them all before the upstreams' references are checked.

CREATE TABLE upstreams (
    tenant_id          uuid NOT NULL,
    site_id            uuid NOT NULL,
    id                 uuid NOT NULL,
    name               text NOT NULL,
    protocol           text NOT NULL,
    connect_timeout_ms integer NOT NULL,
    request_timeout_ms integer NOT NULL,
    revision           bigint NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT upstreams_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT upstreams_name_key UNIQUE (tenant_id, site_id, name),
    CONSTRAINT upstreams_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT upstreams_protocol_check CHECK (protocol IN ('http1', 'http2')),
    CONSTRAINT upstreams_connect_timeout_ms_check CHECK (connect_timeout_ms BETWEEN 1 AND 60000),
    CONSTRAINT upstreams_request_timeout_ms_check CHECK (request_timeout_ms BETWEEN 1 AND 3600000)
);

CREATE TABLE upstream_endpoints (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    upstream_id uuid NOT NULL,
    -- The place in the list that the caller gave, from 1.
    position    integer NOT NULL,
    -- An IPv4 or IPv6 address without brackets, or a DNS name.
    address     text NOT NULL,
    port        integer NOT NULL,
    weight      integer NOT NULL,
    PRIMARY KEY (tenant_id, site_id, upstream_id, position),
    CONSTRAINT upstream_endpoints_upstream_fkey FOREIGN KEY (tenant_id, site_id, upstream_id)
        REFERENCES upstreams (tenant_id, site_id, id) ON DELETE CASCADE,
    CONSTRAINT upstream_endpoints_address_key UNIQUE (tenant_id, site_id, upstream_id, address, port),
    CONSTRAINT upstream_endpoints_position_check CHECK (position BETWEEN 1 AND 100),
    CONSTRAINT upstream_endpoints_address_check CHECK (octet_length(address) <= 253 AND address ~ '^[A-Za-z0-9._:-]+$'),
    CONSTRAINT upstream_endpoints_port_check CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT upstream_endpoints_weight_check CHECK (weight BETWEEN 1 AND 1000)
);

CREATE TABLE apis (
    tenant_id       uuid NOT NULL,
    site_id         uuid NOT NULL,
    id              uuid NOT NULL,
    name            text NOT NULL,
    base_path       text NOT NULL,
    strip_base_path boolean NOT NULL,
    revision        bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT apis_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT apis_name_key UNIQUE (tenant_id, site_id, name),
    CONSTRAINT apis_base_path_key UNIQUE (tenant_id, site_id, base_path),
    CONSTRAINT apis_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    -- `/` means no base path.
    CONSTRAINT apis_base_path_check CHECK (
        octet_length(base_path) <= 512
        AND (base_path = '/' OR base_path ~ '^(/[^/?#{}[:cntrl:][:space:]]+)+$')
    )
);

CREATE TABLE api_versions (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    api_id      uuid NOT NULL,
    id          uuid NOT NULL,
    name        text NOT NULL,
    upstream_id uuid NOT NULL,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT api_versions_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT api_versions_api_fkey FOREIGN KEY (tenant_id, site_id, api_id)
        REFERENCES apis (tenant_id, site_id, id) ON DELETE CASCADE,
    CONSTRAINT api_versions_upstream_fkey FOREIGN KEY (tenant_id, site_id, upstream_id)
        REFERENCES upstreams (tenant_id, site_id, id),
    CONSTRAINT api_versions_name_key UNIQUE (tenant_id, site_id, api_id, name),
    CONSTRAINT api_versions_name_check CHECK (name ~ '^[A-Za-z0-9._~-]{1,64}$' AND name NOT IN ('.', '..'))
);
CREATE INDEX api_versions_upstream ON api_versions (tenant_id, site_id, upstream_id);

CREATE TABLE routes (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    version_id  uuid NOT NULL,
    id          uuid NOT NULL,
    name        text,
    -- The bits of policy::method::Methods.
    methods     smallint NOT NULL,
    path        text NOT NULL,
    -- The template without its parameters' names (policy::path::Template::shape): templates of one shape match the same paths.
    shape       text NOT NULL GENERATED ALWAYS AS (regexp_replace(path, '\{(\*?)[^{}]*\}', '{\1}', 'g')) STORED,
    -- Absent: the version's.
    upstream_id uuid,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, site_id, id),
    CONSTRAINT routes_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT routes_version_fkey FOREIGN KEY (tenant_id, site_id, version_id)
        REFERENCES api_versions (tenant_id, site_id, id) ON DELETE CASCADE,
    CONSTRAINT routes_upstream_fkey FOREIGN KEY (tenant_id, site_id, upstream_id)
        REFERENCES upstreams (tenant_id, site_id, id),
    CONSTRAINT routes_path_key UNIQUE (tenant_id, site_id, version_id, shape, methods),
    CONSTRAINT routes_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT routes_methods_check CHECK (methods BETWEEN 1 AND 255),
    CONSTRAINT routes_path_check CHECK (octet_length(path) <= 1024 AND path ~ '^/' AND path !~ '[[:cntrl:]]')
);
CREATE INDEX routes_version ON routes (tenant_id, site_id, version_id, id);
CREATE INDEX routes_upstream ON routes (tenant_id, site_id, upstream_id) WHERE upstream_id IS NOT NULL;

ALTER TABLE upstreams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON upstreams TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON upstreams FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON upstreams TO tenantry_admin;

ALTER TABLE upstream_endpoints ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON upstream_endpoints TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON upstream_endpoints FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON upstream_endpoints TO tenantry_admin;

ALTER TABLE apis ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON apis TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON apis FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON apis TO tenantry_admin;

ALTER TABLE api_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_versions TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON api_versions FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON api_versions TO tenantry_admin;

ALTER TABLE routes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON routes TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds_read ON routes FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON routes TO tenantry_admin;

GRANT SELECT (tenant_id, site_id, id, protocol, connect_timeout_ms, request_timeout_ms) ON upstreams TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, upstream_id, position, address, port, weight) ON upstream_endpoints TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, id, base_path, strip_base_path) ON apis TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, api_id, id, name, upstream_id) ON api_versions TO tenantry_xds;
GRANT SELECT (tenant_id, site_id, version_id, id, methods, path, upstream_id) ON routes TO tenantry_xds;
