-- The one home of the rule which credentials work.
--
-- The function is a plain expression, which PostgreSQL puts in place of its call: a query that says
-- `works(revoked_at, expires_at)` is served by the indexes on rows that are not revoked.
SET LOCAL lock_timeout = '10s';

-- True for a credential that nothing has ended and that has not expired. NULL stands for never.
CREATE FUNCTION works(ended_at timestamptz, expires_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ended_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- The credentials of all three kinds that are not revoked, expired ones included: the buckets of
-- the data plane hold them, or held them until they expired.
--
-- `has_details`: Envoys have to know more of it or of its consumer. `in_consumer`: it is one of the
-- details in the bucket of its consumer.
CREATE VIEW unrevoked_credentials WITH (security_invoker = true) AS
SELECT tenant_id, site_id, consumer_id, id, 'api_key'::text AS kind, digest, bucket, plan,
       expires_at, revoked_at, consumer_has_settings OR settings <> '{}' AS has_details,
       settings <> '{}' AS in_consumer
FROM api_keys WHERE revoked_at IS NULL
UNION ALL
SELECT tenant_id, site_id, consumer_id, id, 'signing_key'::text, digest, bucket, plan,
       expires_at, revoked_at, true, true
FROM signing_keys WHERE revoked_at IS NULL
UNION ALL
SELECT tenant_id, site_id, consumer_id, id, 'subject'::text, digest, bucket, plan,
       NULL::timestamptz, NULL::timestamptz, consumer_has_settings, false
FROM consumer_subjects;

-- The credentials that work now: the records of the buckets.
CREATE VIEW working_credentials WITH (security_invoker = true) AS
SELECT tenant_id, site_id, consumer_id, id, kind, digest, bucket, plan, expires_at, has_details
FROM unrevoked_credentials WHERE works(revoked_at, expires_at);

GRANT SELECT ON unrevoked_credentials, working_credentials TO tenantry_admin, tenantry_xds;
GRANT SELECT (tenant_id) ON consumer_subjects TO tenantry_xds;
