-- The two group roles under which the programs work. They own nothing, cannot log in and never bypass row security; whoever
-- provisions a deployment makes login roles that are members of them.
--
-- Roles belong to the cluster, not to the database, and several databases of one cluster may be migrated at the same time:
-- whoever comes second finds the role, or runs into it while it is being made.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tenantry_admin', 'tenantry_xds'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'role % bypasses row security', wanted
                USING HINT = format('Run: ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO tenantry_admin, tenantry_xds;
