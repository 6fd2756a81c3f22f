-- Platform plans: how much of everything a tenant may have; and how much each has.
--
-- What tenants have is counted by triggers, in the transaction that makes or removes it and under the lock of the tenant's one row of
-- totals: no program can forget it, imports and whatever removes a whole site included, and a limit holds among any number of
-- transactions. Nothing is counted through.
SET LOCAL lock_timeout = '10s';

CREATE TABLE platform_plans (
    id                  uuid PRIMARY KEY,
    name                text NOT NULL,
    -- The plan of tenants of which nobody says anything else. It is never removed.
    is_default          boolean NOT NULL DEFAULT false,
    -- NULL: only the general bounds hold.
    sites               bigint,
    routes              bigint,
    -- API keys and signing keys that are neither revoked nor expired.
    keys                bigint,
    members             bigint,
    -- Of what tenants store as configuration: see tenant_totals.
    config_bytes        bigint,
    requests_per_second integer,
    -- By the calendar of UTC: a tenant can choose its time zone, and so would choose when its month begins.
    requests_per_month  bigint,
    revision            bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT platform_plans_name_key UNIQUE (name),
    CONSTRAINT platform_plans_name_check CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT platform_plans_limits_check CHECK (sites >= 0 AND routes >= 0 AND keys >= 0 AND members >= 1 AND config_bytes >= 0),
    CONSTRAINT platform_plans_requests_check CHECK (
        requests_per_second BETWEEN 1 AND 100000000 AND requests_per_month BETWEEN 1 AND 1000000000000000
    )
);
CREATE UNIQUE INDEX platform_plans_default ON platform_plans (is_default) WHERE is_default;
INSERT INTO platform_plans (id, name, is_default) VALUES ('00000000-0000-7000-8000-000000000001', 'default', true);

ALTER TABLE tenants ADD COLUMN platform_plan_id uuid NOT NULL DEFAULT '00000000-0000-7000-8000-000000000001',
    ADD CONSTRAINT tenants_platform_plan_fkey FOREIGN KEY (platform_plan_id) REFERENCES platform_plans (id);
CREATE INDEX tenants_platform_plan ON tenants (platform_plan_id);
GRANT SELECT (platform_plan_id) ON tenants TO tenantry_xds;

ALTER TABLE platform_plans ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON platform_plans TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'platform')
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');
-- A tenant sees its own plan, and no other.
CREATE POLICY tenant_read ON platform_plans FOR SELECT TO tenantry_admin
    USING (EXISTS (
        SELECT FROM tenants t
        WHERE t.platform_plan_id = platform_plans.id AND t.id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid
    ));
CREATE POLICY xds_read ON platform_plans FOR SELECT TO tenantry_xds USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON platform_plans TO tenantry_admin;
GRANT SELECT (id, requests_per_second, requests_per_month) ON platform_plans TO tenantry_xds;

-- What a tenant has. A tenant without a row has nothing.
CREATE TABLE tenant_totals (
    tenant_id    uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    sites        bigint NOT NULL DEFAULT 0,
    routes       bigint NOT NULL DEFAULT 0,
    keys         bigint NOT NULL DEFAULT 0,
    members      bigint NOT NULL DEFAULT 0,
    -- The bytes of its names, hostnames, addresses, paths and settings (as JSON), in UTF-8.
    config_bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

ALTER TABLE tenant_totals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_totals TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON tenant_totals TO tenantry_admin;
GRANT UPDATE (sites, routes, keys, members, config_bytes) ON tenant_totals TO tenantry_admin;

-- Whether a key that is not revoked counts no more: another one has taken its place, or it was seen to have expired.
ALTER TABLE api_keys ADD COLUMN ended boolean NOT NULL DEFAULT false;
ALTER TABLE signing_keys ADD COLUMN ended boolean NOT NULL DEFAULT false;
CREATE INDEX signing_keys_expiring ON signing_keys (tenant_id, expires_at)
    WHERE revoked_at IS NULL AND NOT ended AND expires_at IS NOT NULL;

-- Takes keys that have expired out of the total. It does not wait for those that somebody changes just now, who waits for the total.
CREATE FUNCTION settle_expired_keys(of_tenant uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_keys k SET ended = true
    FROM (SELECT site_id, id FROM api_keys
          WHERE tenant_id = of_tenant AND expires_at <= now() AND revoked_at IS NULL AND NOT ended
          FOR UPDATE SKIP LOCKED) AS expired
    WHERE k.tenant_id = of_tenant AND k.site_id = expired.site_id AND k.id = expired.id;
    UPDATE signing_keys k SET ended = true
    FROM (SELECT site_id, id FROM signing_keys
          WHERE tenant_id = of_tenant AND expires_at <= now() AND revoked_at IS NULL AND NOT ended
          FOR UPDATE SKIP LOCKED) AS expired
    WHERE k.tenant_id = of_tenant AND k.site_id = expired.site_id AND k.id = expired.id;
END
$$;

-- Refuses what goes beyond a limit: the SQLSTATE TNLIM, with the limit as the constraint, and what is allowed and used as the detail.
-- Where no more is left than there was before, nobody is refused: who is over a limit that was lowered replaces and changes what is there.
CREATE FUNCTION refuse_beyond(what text, allowed bigint, before bigint, used bigint, more bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF more > 0 AND used > allowed AND used > before THEN
        RAISE EXCEPTION USING ERRCODE = 'TNLIM', MESSAGE = 'a limit of the platform plan is reached', CONSTRAINT = what,
            DETAIL = format('%s %s', allowed, greatest(before, used - more));
    END IF;
END
$$;

-- What the tenant had when the transaction first came to its totals, whose row it has locked since. A savepoint that is undone takes it back.
CREATE FUNCTION totals_before(of_tenant uuid) RETURNS tenant_totals
LANGUAGE plpgsql AS $$
DECLARE
    before tenant_totals;
    noted text := current_setting('tenantry.totals_before', true);
BEGIN
    IF noted <> '' THEN
        before := noted::tenant_totals;
        IF before.tenant_id = of_tenant THEN
            RETURN before;
        END IF;
    END IF;
    SELECT * INTO before FROM tenant_totals WHERE tenant_id = of_tenant FOR UPDATE;
    IF NOT FOUND THEN
        before := ROW(of_tenant, 0, 0, 0, 0, 0)::tenant_totals;
    END IF;
    PERFORM set_config('tenantry.totals_before', before::text, true);
    RETURN before;
END
$$;

-- Adds to what a tenant has: `number` of `what`, and `bytes` of configuration. Less is never refused.
CREATE FUNCTION add_to_totals(of_tenant uuid, what text, number bigint, bytes bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    before tenant_totals := totals_before(of_tenant);
    total tenant_totals;
    plan platform_plans;
BEGIN
    IF number <= 0 AND bytes <= 0 THEN
        -- No row is made here: it may be gone with its tenant.
        UPDATE tenant_totals SET
            sites = sites + CASE what WHEN 'sites' THEN number ELSE 0 END,
            routes = routes + CASE what WHEN 'routes' THEN number ELSE 0 END,
            keys = keys + CASE what WHEN 'keys' THEN number ELSE 0 END,
            members = members + CASE what WHEN 'members' THEN number ELSE 0 END,
            config_bytes = config_bytes + bytes
        WHERE tenant_id = of_tenant;
        RETURN;
    END IF;
    INSERT INTO tenant_totals AS t (tenant_id, sites, routes, keys, members, config_bytes)
    VALUES (
        of_tenant,
        CASE what WHEN 'sites' THEN number ELSE 0 END,
        CASE what WHEN 'routes' THEN number ELSE 0 END,
        CASE what WHEN 'keys' THEN number ELSE 0 END,
        CASE what WHEN 'members' THEN number ELSE 0 END,
        bytes
    )
    ON CONFLICT (tenant_id) DO UPDATE SET
        sites = t.sites + excluded.sites, routes = t.routes + excluded.routes, keys = t.keys + excluded.keys,
        members = t.members + excluded.members, config_bytes = t.config_bytes + excluded.config_bytes
    RETURNING t.* INTO total;
    SELECT p.* INTO plan FROM tenants t JOIN platform_plans p ON p.id = t.platform_plan_id WHERE t.id = of_tenant;
    IF what = 'keys' AND number > 0 AND total.keys > plan.keys THEN
        PERFORM settle_expired_keys(of_tenant);
        -- What is found to have expired did not count before either.
        before.keys := before.keys - total.keys;
        SELECT * INTO total FROM tenant_totals WHERE tenant_id = of_tenant;
        before.keys := before.keys + total.keys;
        PERFORM set_config('tenantry.totals_before', before::text, true);
    END IF;
    PERFORM refuse_beyond('sites', plan.sites, before.sites, total.sites, CASE what WHEN 'sites' THEN number ELSE 0 END);
    PERFORM refuse_beyond('routes', plan.routes, before.routes, total.routes, CASE what WHEN 'routes' THEN number ELSE 0 END);
    PERFORM refuse_beyond('keys', plan.keys, before.keys, total.keys, CASE what WHEN 'keys' THEN number ELSE 0 END);
    PERFORM refuse_beyond('members', plan.members, before.members, total.members, CASE what WHEN 'members' THEN number ELSE 0 END);
    PERFORM refuse_beyond('config_bytes', plan.config_bytes, before.config_bytes, total.config_bytes, bytes);
END
$$;

-- For each table: the total that its rows count in, which of them count, and their bytes of configuration. And what is there already.
DO $migration$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT * FROM (VALUES
            ('sites', 'sites', '1', 'octet_length(name) + octet_length(slug) + octet_length(settings::text)'),
            ('hostnames', '', '0', 'octet_length(name)'),
            ('upstreams', '', '0', 'octet_length(name)'),
            ('upstream_endpoints', '', '0', 'octet_length(address)'),
            ('apis', '', '0', 'octet_length(name) + octet_length(base_path) + octet_length(settings::text)'),
            ('api_versions', '', '0', 'octet_length(name)'),
            ('routes', 'routes', '1', 'coalesce(octet_length(name), 0) + octet_length(path) + octet_length(settings::text)'),
            ('plans', '', '0', 'octet_length(name) + octet_length(settings::text)'),
            ('issuers', '', '0', 'octet_length(settings::text)'),
            ('consumers', '', '0', 'octet_length(name) + octet_length(settings::text)'),
            ('api_keys', 'keys', '(revoked_at IS NULL AND NOT ended)::int', 'CASE settings WHEN ''{}'' THEN 0 ELSE octet_length(settings::text) END'),
            ('signing_keys', 'keys', '(revoked_at IS NULL AND NOT ended)::int', 'CASE settings WHEN ''{}'' THEN 0 ELSE octet_length(settings::text) END'),
            ('members', 'members', '1', '0')
        ) AS measured (name, total, number, bytes)
    LOOP
        EXECUTE format($function$
            CREATE FUNCTION total_%1$s() RETURNS trigger
            LANGUAGE plpgsql AS $body$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    PERFORM add_to_totals(tenant_id, %2$L, sum(%3$s)::bigint, sum(%4$s)::bigint) FROM added GROUP BY tenant_id;
                ELSIF TG_OP = 'DELETE' THEN
                    PERFORM add_to_totals(tenant_id, %2$L, -sum(%3$s)::bigint, -sum(%4$s)::bigint) FROM removed GROUP BY tenant_id;
                ELSE
                    PERFORM add_to_totals(tenant_id, %2$L, sum(number)::bigint, sum(bytes)::bigint)
                    FROM (SELECT tenant_id, %3$s AS number, %4$s AS bytes FROM added
                          UNION ALL
                          SELECT tenant_id, -(%3$s), -(%4$s) FROM removed) AS changed
                    GROUP BY tenant_id HAVING sum(number) <> 0 OR sum(bytes) <> 0;
                END IF;
                RETURN NULL;
            END
            $body$;
            CREATE TRIGGER total_added AFTER INSERT ON %1$s
                REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION total_%1$s();
            CREATE TRIGGER total_removed AFTER DELETE ON %1$s
                REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION total_%1$s();
            CREATE TRIGGER total_changed AFTER UPDATE ON %1$s
                REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION total_%1$s();
            ALTER TABLE %1$s NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE platform_plans NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE tenant_totals NO FORCE ROW LEVEL SECURITY;
            SELECT add_to_totals(tenant_id, %2$L, sum(%3$s)::bigint, sum(%4$s)::bigint) FROM %1$s GROUP BY tenant_id;
            ALTER TABLE %1$s FORCE ROW LEVEL SECURITY;
            ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
            ALTER TABLE platform_plans FORCE ROW LEVEL SECURITY;
            ALTER TABLE tenant_totals FORCE ROW LEVEL SECURITY;
        $function$, t.name, t.total, t.number, t.bytes);
    END LOOP;
END
$migration$;

-- What is removed with something else is removed by whoever removes that, and before it. The references would do it too, but in the role
-- of the owner, under which PostgreSQL 18 then runs the triggers of what was removed; and row security binds the owner.
CREATE FUNCTION remove_parts() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'tenants' THEN
            DELETE FROM sites WHERE tenant_id = OLD.id;
            DELETE FROM members WHERE tenant_id = OLD.id;
        WHEN 'sites' THEN
            DELETE FROM routes WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM apis WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM upstreams WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM api_keys WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM signing_keys WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM consumers WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM plans WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM issuers WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
            DELETE FROM hostnames WHERE tenant_id = OLD.tenant_id AND site_id = OLD.id;
        WHEN 'apis' THEN
            DELETE FROM api_versions WHERE tenant_id = OLD.tenant_id AND site_id = OLD.site_id AND api_id = OLD.id;
        WHEN 'api_versions' THEN
            DELETE FROM routes WHERE tenant_id = OLD.tenant_id AND site_id = OLD.site_id AND version_id = OLD.id;
        WHEN 'upstreams' THEN
            DELETE FROM upstream_endpoints WHERE tenant_id = OLD.tenant_id AND site_id = OLD.site_id AND upstream_id = OLD.id;
        WHEN 'consumers' THEN
            DELETE FROM api_keys WHERE tenant_id = OLD.tenant_id AND site_id = OLD.site_id AND consumer_id = OLD.id;
            DELETE FROM signing_keys WHERE tenant_id = OLD.tenant_id AND site_id = OLD.site_id AND consumer_id = OLD.id;
    END CASE;
    RETURN OLD;
END
$$;
CREATE TRIGGER remove_parts BEFORE DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION remove_parts();
CREATE TRIGGER remove_parts BEFORE DELETE ON sites FOR EACH ROW EXECUTE FUNCTION remove_parts();
CREATE TRIGGER remove_parts BEFORE DELETE ON apis FOR EACH ROW EXECUTE FUNCTION remove_parts();
CREATE TRIGGER remove_parts BEFORE DELETE ON api_versions FOR EACH ROW EXECUTE FUNCTION remove_parts();
CREATE TRIGGER remove_parts BEFORE DELETE ON upstreams FOR EACH ROW EXECUTE FUNCTION remove_parts();
CREATE TRIGGER remove_parts BEFORE DELETE ON consumers FOR EACH ROW EXECUTE FUNCTION remove_parts();

-- A change of a plan's requests concerns all sites of all its tenants: the platform may say so in one statement.
CREATE POLICY platform_write ON change_log FOR INSERT TO tenantry_admin
    WITH CHECK (current_setting('tenantry.scope', true) = 'platform');

-- A tenant that was closing when it was suspended still closes, once it is served again.
ALTER TABLE tenants
    DROP CONSTRAINT tenants_closes_at_check,
    ADD CONSTRAINT tenants_closes_at_check CHECK (
        CASE status WHEN 'closing' THEN closes_at IS NOT NULL WHEN 'active' THEN closes_at IS NULL ELSE true END
    );
