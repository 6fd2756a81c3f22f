-- What the Envoys have: the streams that are open, and the sites whose configuration was refused.
--
-- xds-server writes here, and admin reads. Neither table is the truth about anything that tenants have made.

-- One row for each stream of an Envoy or of the filter in it, for as long as it is open. A row that was not seen for a while is
-- one of a replica that is gone. Rows are updated many times a second, and in no indexed column.
CREATE TABLE envoys (
    -- The stream: an Envoy that connects again has a new one before the old one has ended.
    id           uuid PRIMARY KEY,
    -- The process of xds-server that has it.
    replica      uuid NOT NULL,
    node_id      text NOT NULL,
    -- `ads`: Envoy's own. `mirror`: the filter's.
    stream       text NOT NULL,
    cell         text NOT NULL,
    version      text NOT NULL,
    connected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last change of the log through which it has answered everything; null before its first sync is complete.
    acked_seq    bigint,
    -- Since when.
    acked_at     timestamptz,
    CONSTRAINT envoys_stream_check CHECK (stream IN ('ads', 'mirror'))
) WITH (fillfactor = 50);

ALTER TABLE envoys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY xds ON envoys TO tenantry_xds USING (true) WITH CHECK (true);
CREATE POLICY read ON envoys FOR SELECT TO tenantry_admin USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON envoys TO tenantry_xds;
GRANT SELECT ON envoys TO tenantry_admin;

-- The sites whose resources, as the database has them, are not served: the last good ones are.
CREATE TABLE quarantine (
    tenant_id     uuid NOT NULL,
    site_id       uuid NOT NULL,
    -- Of what was refused: that is not tried again.
    digest        bytea NOT NULL,
    -- The last change of the site that is known to lead to it.
    seq           bigint NOT NULL DEFAULT 0,
    -- The type and the name of the resource; empty if none could be made.
    resource_type text NOT NULL,
    resource      text NOT NULL,
    reason        text NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The resources that are served instead; null if no others are known.
    good          bytea,
    PRIMARY KEY (tenant_id, site_id),
    CONSTRAINT quarantine_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT quarantine_digest_check CHECK (octet_length(digest) = 32),
    CONSTRAINT quarantine_reason_check CHECK (octet_length(reason) <= 4096)
);
-- xds-server knows a site by its id alone.
CREATE INDEX quarantine_site ON quarantine (site_id);

ALTER TABLE quarantine ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON quarantine FOR SELECT TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds ON quarantine TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT ON quarantine TO tenantry_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantine TO tenantry_xds;

-- Which Envoys have refused it.
CREATE TABLE refusals (
    tenant_id     uuid NOT NULL,
    site_id       uuid NOT NULL,
    node_id       text NOT NULL,
    resource_type text NOT NULL,
    resource      text NOT NULL,
    reason        text NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, site_id, node_id),
    CONSTRAINT refusals_quarantine_fkey FOREIGN KEY (tenant_id, site_id)
        REFERENCES quarantine (tenant_id, site_id) ON DELETE CASCADE,
    CONSTRAINT refusals_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT refusals_reason_check CHECK (octet_length(reason) <= 4096)
);

ALTER TABLE refusals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON refusals FOR SELECT TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds ON refusals TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT ON refusals TO tenantry_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON refusals TO tenantry_xds;

-- A site that is put under quarantine has to be read again by every replica.
CREATE POLICY xds_write ON change_log FOR INSERT TO tenantry_xds WITH CHECK (kind = 'site');
GRANT INSERT (tenant_id, kind, site_id, bucket) ON change_log TO tenantry_xds;
