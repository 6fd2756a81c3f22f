-- Isolation at the database, without our programs: pgTAP, in psql, as the role of the service.
--
-- Every table with a tenant is found in the catalog, and every verb is tried on it: by its owner,
-- by another tenant, with an empty setting and with none. Each statement is undone.
--
-- psql -v left=<uuid> -v right=<uuid> -f isolation.sql: two tenants that have a row in every table.

\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only on
\pset pager off
\o /dev/null

SET search_path = public, tap;
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.tenant_tables(OUT name regclass, OUT owner text) RETURNS SETOF record
LANGUAGE sql AS $$
    SELECT c.oid::regclass, a.attname::text
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
        AND a.attname = CASE WHEN c.oid = 'tenants'::regclass THEN 'id' ELSE 'tenant_id' END
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f')
    ORDER BY c.relname
$$;

-- Returns the number of rows of a statement, or its SQLSTATE. NULL leaves the setting as it is.
CREATE FUNCTION pg_temp.attempt(tenant text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
BEGIN
    IF tenant IS NOT NULL THEN
        PERFORM set_config('tenantry.tenant_id', tenant, true);
    END IF;
    EXECUTE statement;
    GET DIAGNOSTICS number = ROW_COUNT;
    RAISE EXCEPTION USING ERRCODE = 'TT000', MESSAGE = number;
EXCEPTION
    WHEN SQLSTATE 'TT000' THEN RETURN SQLERRM;
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;

-- The outcome of a verb that reaches no row: 0, or a refusal if the role may not use it at all.
CREATE FUNCTION pg_temp.nothing(granted boolean) RETURNS text
LANGUAGE sql AS $$ SELECT CASE WHEN granted THEN '0' ELSE '42501' END $$;

-- One row of a tenant, as a statement that inserts it again.
CREATE FUNCTION pg_temp.copy_of(tenant text, target regclass, owner text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    found jsonb;
BEGIN
    PERFORM set_config('tenantry.tenant_id', tenant, true);
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
    WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
        AND attgenerated = '' AND attidentity = '';
    EXECUTE format('SELECT to_jsonb(t) FROM %s t WHERE %I = %L LIMIT 1', target, owner, tenant)
        INTO found;
    RETURN format('INSERT INTO %s (%s) SELECT %s FROM jsonb_populate_record(NULL::%s, %L)',
        target, columns, columns, target, found);
END
$$;

-- A transaction without a tenant: with the present setting, with none, and with an empty one.
CREATE FUNCTION pg_temp.nobody(setting text, phrase text, a_tenant text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM pg_temp.tenant_tables() LOOP
        RETURN NEXT is(
            pg_temp.attempt(setting, format('SELECT FROM %s', t.name)),
            pg_temp.nothing(has_table_privilege(t.name, 'SELECT')),
            format('%s: SELECT from %s', phrase, t.name));
        RETURN NEXT is(
            pg_temp.attempt(setting, format('UPDATE %s SET %I = %I', t.name, t.owner, t.owner)),
            pg_temp.nothing(has_column_privilege(t.name, t.owner, 'UPDATE')),
            format('%s: UPDATE of %s', phrase, t.name));
        RETURN NEXT is(
            pg_temp.attempt(setting, format('DELETE FROM %s', t.name)),
            pg_temp.nothing(has_table_privilege(t.name, 'DELETE')),
            format('%s: DELETE from %s', phrase, t.name));
        RETURN NEXT is(
            pg_temp.attempt(setting,
                format('INSERT INTO %s (%I) VALUES (%L)', t.name, t.owner, a_tenant)),
            '42501', format('%s: INSERT into %s', phrase, t.name));
    END LOOP;
END
$$;

-- A tenant against another one, and on its own.
CREATE FUNCTION pg_temp.somebody(own text, other text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    t record;
    forged text;
    rows text;
    outcome text;
BEGIN
    FOR t IN SELECT * FROM pg_temp.tenant_tables() LOOP
        rows := pg_temp.attempt(own, format('SELECT FROM %s', t.name));
        RETURN NEXT cmp_ok(nullif(rows, '42501')::bigint, '>', 0::bigint,
            format('its own rows: SELECT from %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own,
                format('SELECT FROM %s WHERE %I = %L', t.name, t.owner, own)), rows,
            format('its own rows are all that it sees in %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own,
                format('SELECT FROM %s WHERE %I = %L', t.name, t.owner, other)), '0',
            format('another''s rows: SELECT from %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own, format('UPDATE %s SET %I = %I WHERE %I = %L', t.name, t.owner,
                t.owner, t.owner, other)),
            pg_temp.nothing(has_column_privilege(t.name, t.owner, 'UPDATE')),
            format('another''s rows: UPDATE of %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own, format('DELETE FROM %s WHERE %I = %L', t.name, t.owner, other)),
            pg_temp.nothing(has_table_privilege(t.name, 'DELETE')),
            format('another''s rows: DELETE from %s', t.name));
        forged := pg_temp.copy_of(other, t.name, t.owner);
        RETURN NEXT is(pg_temp.attempt(own, forged), '42501',
            format('a row for another: INSERT into %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own, format('UPDATE %s SET %I = %L', t.name, t.owner, other)), '42501',
            format('its own rows given away: UPDATE of %s', t.name));
        RETURN NEXT is(
            pg_temp.attempt(own, format('TRUNCATE %s CASCADE', t.name)), '42501',
            format('TRUNCATE of %s', t.name));
        outcome := pg_temp.attempt(own, format('UPDATE %s SET %I = %I', t.name, t.owner, t.owner));
        RETURN NEXT is(
            outcome, CASE WHEN has_column_privilege(t.name, t.owner, 'UPDATE')
                THEN rows ELSE '42501' END,
            format('its own rows: UPDATE of %s', t.name));
        outcome := pg_temp.attempt(own, format('DELETE FROM %s', t.name));
        -- An integrity constraint (class 23) keeps a row to which others refer.
        RETURN NEXT ok(
            CASE
                WHEN NOT has_table_privilege(t.name, 'DELETE') THEN outcome = '42501'
                WHEN EXISTS (SELECT FROM pg_policy WHERE polrelid = t.name AND polcmd IN ('*', 'd')
                             AND pg_get_expr(polqual, polrelid) LIKE '%tenantry.tenant_id%')
                                 THEN outcome = rows OR outcome LIKE '23___'
                -- Only the platform may delete these.
                ELSE outcome = '0'
            END,
            format('its own rows: DELETE from %s: %s', t.name, outcome));
    END LOOP;
END
$$;

CREATE FUNCTION pg_temp.catalog() RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM pg_temp.tenant_tables() LOOP
        RETURN NEXT ok(
            (SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = t.name),
            format('row security is forced on %s', t.name));
        RETURN NEXT isnt(
            (SELECT relowner::regrole::text FROM pg_class WHERE oid = t.name), current_user::text,
            format('the service does not own %s', t.name));
    END LOOP;
    RETURN NEXT ok(
        NOT (SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
            FROM pg_roles WHERE rolname = current_user),
        'the service bypasses nothing');
END
$$;

BEGIN;
\o
SELECT no_plan();
-- This is first, while there is no setting yet.
SELECT is(current_setting('tenantry.tenant_id', true), NULL, 'nothing is set');
SELECT * FROM pg_temp.nobody(NULL, 'no setting', :'right');
SELECT * FROM pg_temp.nobody('', 'an empty setting', :'right');
SELECT * FROM pg_temp.nobody('00000000-0000-7000-8000-000000000000',
    'a tenant that is not there', :'right');
SELECT * FROM pg_temp.somebody(:'left', :'right');
SELECT * FROM pg_temp.somebody(:'right', :'left');
SELECT * FROM pg_temp.catalog();
SELECT * FROM finish();
ROLLBACK;
