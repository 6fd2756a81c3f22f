-- The bytes that a consumer and its keys may take in the data plane, and the parts of sites that are not served because they
-- take more, or were written before there was a bound.
SET LOCAL lock_timeout = '10s';

-- The number of address ranges in a list of settings.
CREATE FUNCTION ranges_in(list jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE jsonb_typeof(list) WHEN 'array' THEN jsonb_array_length(list) ELSE 0 END;

-- The bytes that are counted for the settings of a consumer or a key: 17 for each address range, and for the rest as many as its
-- JSON has. It is never less than what is pushed (policy::bounds).
CREATE FUNCTION pushed_bytes(settings jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN settings = '{}' THEN 0 ELSE
    64 + octet_length((settings - 'ip' - 'subjects')::text)
    + 17 * (ranges_in(settings #> '{ip,allow}') + ranges_in(settings #> '{ip,deny}'))
END;

-- The most bytes of a consumer with its keys (policy::bounds::CONSUMER_BYTES).
CREATE FUNCTION consumer_bytes_max() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 524288;

-- The bytes of a consumer with those of its keys that work.
CREATE FUNCTION consumer_bytes(of_tenant uuid, of_site uuid, of_consumer uuid) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(sum(part), 0)::bigint FROM (
        SELECT 64 + pushed_bytes(settings) FROM consumers
        WHERE tenant_id = of_tenant AND site_id = of_site AND id = of_consumer
        UNION ALL
        SELECT pushed_bytes(settings) FROM api_keys
        WHERE tenant_id = of_tenant AND site_id = of_site AND consumer_id = of_consumer
          AND settings <> '{}' AND works(revoked_at, expires_at)
        UNION ALL
        SELECT 64 + octet_length(coalesce(public_key, material_sealed)) + pushed_bytes(settings) FROM signing_keys
        WHERE tenant_id = of_tenant AND site_id = of_site AND consumer_id = of_consumer
          AND works(revoked_at, expires_at)
    ) AS parts (part)
);

-- Refuses a consumer that would take more: the SQLSTATE TNLIM, as the limits of platform plans. Those who write to one consumer at
-- the same time wait for each other here at the latest, so that none counts without the others.
CREATE FUNCTION refuse_large_consumer(of_tenant uuid, of_site uuid, of_consumer uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    bytes bigint;
BEGIN
    PERFORM FROM consumers WHERE tenant_id = of_tenant AND site_id = of_site AND id = of_consumer FOR NO KEY UPDATE;
    bytes := consumer_bytes(of_tenant, of_site, of_consumer);
    IF bytes > consumer_bytes_max() THEN
        RAISE EXCEPTION USING ERRCODE = 'TNLIM', MESSAGE = 'a consumer takes too many bytes', CONSTRAINT = 'consumer_bytes',
            DETAIL = format('%s %s', consumer_bytes_max(), bytes);
    END IF;
END
$$;

-- A row that takes no more than before is never refused: what is over the bound can be made smaller.
DO $migration$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT * FROM (VALUES
            ('consumers', 'id', 'n.settings <> ''{}'''),
            ('api_keys', 'consumer_id', 'n.settings <> ''{}'''),
            ('signing_keys', 'consumer_id', 'true')
        ) AS measured (name, consumer, counts)
    LOOP
        EXECUTE format($function$
            CREATE FUNCTION bound_%1$s() RETURNS trigger
            LANGUAGE plpgsql AS $body$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    PERFORM refuse_large_consumer(tenant_id, site_id, consumer)
                    FROM (SELECT DISTINCT n.tenant_id, n.site_id, n.%2$s AS consumer FROM added n WHERE %3$s) AS grown;
                ELSE
                    PERFORM refuse_large_consumer(tenant_id, site_id, consumer)
                    FROM (SELECT DISTINCT n.tenant_id, n.site_id, n.%2$s AS consumer
                          FROM added n JOIN removed o USING (tenant_id, site_id, id)
                          WHERE n.settings <> o.settings AND pushed_bytes(n.settings) > pushed_bytes(o.settings)) AS grown;
                END IF;
                RETURN NULL;
            END
            $body$;
            CREATE TRIGGER bound_added AFTER INSERT ON %1$s
                REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bound_%1$s();
            CREATE TRIGGER bound_changed AFTER UPDATE ON %1$s
                REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bound_%1$s();
        $function$, t.name, t.consumer, t.counts);
    END LOOP;
END
$migration$;

-- The parts of sites that are not served. xds-server writes them, and admin reads them; it is not the truth about anything that
-- tenants have made.
CREATE TABLE left_out (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    -- `consumers` or `keys`, and the number of the bucket.
    kind        text NOT NULL,
    bucket      integer NOT NULL,
    -- The consumer; nil for credentials of several.
    consumer_id uuid NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, site_id, kind, bucket, consumer_id),
    CONSTRAINT left_out_site_fkey FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT left_out_kind_check CHECK (kind IN ('consumers', 'keys')),
    CONSTRAINT left_out_bucket_check CHECK (bucket BETWEEN 0 AND 65535),
    CONSTRAINT left_out_reason_check CHECK (octet_length(reason) <= 4096)
);
-- xds-server replaces those of a bucket.
CREATE INDEX left_out_kind_bucket ON left_out (kind, bucket);

ALTER TABLE left_out ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON left_out FOR SELECT TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
CREATE POLICY xds ON left_out TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT ON left_out TO tenantry_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON left_out TO tenantry_xds;
