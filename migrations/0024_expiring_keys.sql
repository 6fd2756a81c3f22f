-- no-transaction
-- Which keys of a tenant have expired and still count.
CREATE INDEX CONCURRENTLY api_keys_expiring ON api_keys (tenant_id, expires_at)
    WHERE revoked_at IS NULL AND NOT ended AND expires_at IS NOT NULL;
