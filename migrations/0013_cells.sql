-- Cells: groups of Envoys that serve the same tenants. Which cells a tenant is placed on, the listeners of its own that it has
-- there, and which of its sites every Envoy of its cells holds from the start.
SET LOCAL lock_timeout = '10s';

CREATE TABLE cells (
    -- What the Envoys of the cell say in `node.cluster`.
    name        text PRIMARY KEY,
    -- The object of its audit rows.
    id          uuid NOT NULL,
    description text NOT NULL DEFAULT '',
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cells_name_check CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT cells_description_check CHECK (char_length(description) <= 200 AND description !~ '[[:cntrl:]]')
);
-- Where tenants are placed unless somebody says otherwise; it is never removed.
INSERT INTO cells (name, id) VALUES ('default', gen_random_uuid());

ALTER TABLE cells ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON cells TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY xds_read ON cells FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON cells TO tenantry_admin;
GRANT SELECT (name) ON cells TO tenantry_xds;

-- A set, so that a move can be made without a gap: both cells, and then the new one alone. It is a column with a default, so that
-- programs of the release before go on making tenants. Whoever writes it holds the rows of the cells that it names, and whoever
-- removes a cell looks for tenants on it while holding its row: no name is left without a cell.
ALTER TABLE tenants ADD COLUMN cells text[] NOT NULL DEFAULT '{default}',
    ADD CONSTRAINT tenants_cells_check CHECK (
        cardinality(cells) BETWEEN 1 AND 16 AND array_ndims(cells) = 1 AND array_position(cells, NULL) IS NULL
    );
CREATE INDEX tenants_cells ON tenants USING gin (cells);
GRANT SELECT (cells) ON tenants TO tenantry_xds;

-- Ports of a tenant's own in the Envoys of its cells. A port is one tenant's on the whole platform, so that no placement of a tenant
-- can bring two together.
CREATE TABLE tenant_listeners (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    port       integer NOT NULL,
    -- The address to listen on; NULL is the one on which each Envoy has its shared listener.
    address    text,
    PRIMARY KEY (tenant_id, port),
    CONSTRAINT tenant_listeners_port_key UNIQUE (port),
    CONSTRAINT tenant_listeners_port_check CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT tenant_listeners_address_check CHECK (octet_length(address) BETWEEN 2 AND 45)
);

ALTER TABLE tenant_listeners ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_listeners TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
-- They are part of the tenant, which is platform work.
CREATE POLICY platform ON tenant_listeners TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY xds_read ON tenant_listeners FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_listeners TO tenantry_admin;
GRANT SELECT (tenant_id, port, address) ON tenant_listeners TO tenantry_xds;

-- Whether the Envoys load the routes and clusters of a site before its first request.
ALTER TABLE sites ADD COLUMN eager boolean NOT NULL DEFAULT false;
GRANT SELECT (eager) ON sites TO tenantry_xds;

-- Two more kinds of change. `cells`: read the names of all cells again; it is nobody's, so its tenant is nil. `listeners`: reload
-- the listeners of the tenant.
ALTER TABLE change_log
    DROP CONSTRAINT change_log_kind_check,
    ADD CONSTRAINT change_log_kind_check CHECK (
        (kind = 'site' AND site_id IS NOT NULL AND bucket IS NULL)
        OR (kind IN ('keys', 'consumers') AND site_id IS NULL AND bucket IS NOT NULL AND bucket BETWEEN 0 AND 65535)
        OR (kind IN ('cells', 'listeners') AND site_id IS NULL AND bucket IS NULL)
    );
