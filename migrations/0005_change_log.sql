-- What xds-server has to read again, in commit order.
--
-- Writers hold one advisory lock from just before they insert until they commit, so that a reader who has seen a sequence
-- number has seen all that is below it. Numbers of rolled back transactions are missing; a gap is no loss. The log outlives
-- the tenants it names, so it references none.

CREATE TABLE change_log (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- `site`: reload the site whole, it may be gone. `keys`: reload the bucket.
    kind      text NOT NULL,
    site_id   uuid,
    bucket    integer,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT change_log_kind_check CHECK (
        (kind = 'site' AND site_id IS NOT NULL AND bucket IS NULL)
        OR (kind = 'keys' AND site_id IS NULL AND bucket IS NOT NULL AND bucket BETWEEN 0 AND 65535)
    )
);

ALTER TABLE change_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON change_log FOR SELECT TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY tenant_write ON change_log FOR INSERT TO tenantry_admin
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
-- Retention is platform work; it needs to see what it deletes.
CREATE POLICY platform_read ON change_log FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform_prune ON change_log FOR DELETE TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY xds_read ON change_log FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, DELETE ON change_log TO tenantry_admin;
GRANT SELECT ON change_log TO tenantry_xds;

-- One row: up to which number the log was pruned. A reader that had not come so far has lost changes and reads everything.
CREATE TABLE change_log_floor (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pruned_through bigint NOT NULL
);
INSERT INTO change_log_floor (pruned_through) VALUES (0);

ALTER TABLE change_log_floor ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY read ON change_log_floor FOR SELECT TO tenantry_admin, tenantry_xds USING (true);
CREATE POLICY platform_prune ON change_log_floor FOR UPDATE TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, UPDATE ON change_log_floor TO tenantry_admin;
GRANT SELECT ON change_log_floor TO tenantry_xds;
