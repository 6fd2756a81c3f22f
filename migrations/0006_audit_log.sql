-- Who did what: one chain of hashes per tenant. What the platform does for no tenant is in the chain of the nil UUID.
--
-- The database numbers, chains and hashes the rows itself, and the programs may only insert and read: no code path can write
-- a row that is outside the chain. The log outlives the tenants it names, so it references none.

CREATE TABLE audit_log (
    tenant_id  uuid NOT NULL,
    -- From 1, without gaps.
    seq        bigint NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind text NOT NULL,
    actor_id   uuid NOT NULL,
    request_id text NOT NULL,
    source     inet,
    -- Such as `route.create`.
    action     text NOT NULL,
    object_id  uuid NOT NULL,
    before     jsonb,
    after      jsonb,
    -- The hash of row seq - 1; empty for the first.
    prev_hash  bytea NOT NULL,
    hash       bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    CONSTRAINT audit_log_actor_kind_check CHECK (actor_kind IN ('operator', 'system')),
    CONSTRAINT audit_log_action_check CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    CONSTRAINT audit_log_request_id_check CHECK (char_length(request_id) <= 200)
);

-- The hash of a row: SHA-256 of the text of a JSON array of its fields, the previous hash included. An array frames its
-- fields without ambiguity, and jsonb has one text for one value, whatever the session's time zone.
CREATE FUNCTION audit_row_hash(entry audit_log) RETURNS bytea
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT sha256(convert_to(
        jsonb_build_array(
            entry.tenant_id, entry.seq, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor_kind, entry.actor_id,
            entry.request_id, text(entry.source), entry.action, entry.object_id, entry.before, entry.after,
            encode(entry.prev_hash, 'hex')
        )::text, 'UTF8'));
END;

CREATE FUNCTION audit_chain() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    -- One writer to a chain at a time; the next one sees this one's rows, for the lock is given up after the commit.
    -- 1635083369 is 'audi' in ASCII: it keeps this lock apart from other advisory locks.
    PERFORM pg_advisory_xact_lock(1635083369, hashtext(NEW.tenant_id::text));
    SELECT seq, hash INTO last FROM audit_log WHERE tenant_id = NEW.tenant_id ORDER BY seq DESC LIMIT 1;
    NEW.seq := coalesce(last.seq, 0) + 1;
    NEW.prev_hash := coalesce(last.hash, ''::bytea);
    NEW.at := clock_timestamp();
    NEW.hash := audit_row_hash(NEW);
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_log TO tenantry_admin
    USING (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('tenantry.tenant_id', true), '')::uuid);
-- Neither UPDATE nor DELETE: what was written stays.
GRANT SELECT, INSERT ON audit_log TO tenantry_admin;
