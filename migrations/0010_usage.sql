-- Usage: sums by the hour, as the worker VMs of the filter report them, and how far each of those has been heard.
--
-- Only xds-server writes here, and only adds; tenants read their own. A row outlives the site, consumer, key and route that
-- it names, for what was used has to be paid; it goes with its tenant. What stays too long is removed by the platform.

CREATE TABLE usage_hours (
    tenant_id      uuid NOT NULL,
    -- The full hour in UTC in which the requests ended.
    hour           timestamptz NOT NULL,
    site_id        uuid NOT NULL,
    consumer_id    uuid,
    key_id         uuid,
    route_id       uuid,
    -- The first digit of the status from 1 to 5; 0 where the client got none.
    status_class   smallint NOT NULL,
    requests       bigint NOT NULL,
    request_bytes  bigint NOT NULL,
    response_bytes bigint NOT NULL,
    duration_us    bigint NOT NULL,
    -- Requests by the buckets of policy::usage::histogram.
    histogram      bigint[] NOT NULL,
    CONSTRAINT usage_hours_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT usage_hours_key UNIQUE NULLS NOT DISTINCT
        (tenant_id, hour, site_id, consumer_id, key_id, route_id, status_class),
    CONSTRAINT usage_hours_hour_check CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    CONSTRAINT usage_hours_status_class_check CHECK (status_class BETWEEN 0 AND 5),
    CONSTRAINT usage_hours_histogram_check CHECK (cardinality(histogram) = 16)
);
-- For the removal of what is old: rows come in the order of their hours, so that a summary of each block range is enough.
CREATE INDEX usage_hours_hour ON usage_hours USING brin (hour);

ALTER TABLE usage_hours ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON usage_hours FOR SELECT TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY platform_read ON usage_hours FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform_prune ON usage_hours FOR DELETE TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY xds_read ON usage_hours FOR SELECT TO tenantry_xds USING (true);
CREATE POLICY xds_insert ON usage_hours FOR INSERT TO tenantry_xds WITH CHECK (true);
CREATE POLICY xds_add ON usage_hours FOR UPDATE TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON usage_hours TO tenantry_admin;
GRANT SELECT, INSERT ON usage_hours TO tenantry_xds;
-- Sums grow; whose they are does not change.
GRANT UPDATE (requests, request_bytes, response_bytes, duration_us, histogram) ON usage_hours TO tenantry_xds;

-- The last report of each worker VM that is in the sums. It is written in the transaction that adds them.
CREATE TABLE usage_reporters (
    -- What the VM drew when it started.
    reporter bytea PRIMARY KEY,
    last_seq bigint NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT usage_reporters_reporter_check CHECK (octet_length(reporter) = 16)
);
CREATE INDEX usage_reporters_seen_at ON usage_reporters (seen_at);

ALTER TABLE usage_reporters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY xds_read ON usage_reporters FOR SELECT TO tenantry_xds USING (true);
CREATE POLICY xds_insert ON usage_reporters FOR INSERT TO tenantry_xds WITH CHECK (true);
CREATE POLICY xds_update ON usage_reporters FOR UPDATE TO tenantry_xds USING (true) WITH CHECK (true);
CREATE POLICY platform_read ON usage_reporters FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
CREATE POLICY platform_prune ON usage_reporters FOR DELETE TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform');
GRANT SELECT, INSERT, UPDATE ON usage_reporters TO tenantry_xds;
GRANT SELECT, DELETE ON usage_reporters TO tenantry_admin;
