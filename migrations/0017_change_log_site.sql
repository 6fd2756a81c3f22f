-- no-transaction
-- The status of a site asks for its last change.
CREATE INDEX CONCURRENTLY change_log_site ON change_log (tenant_id, site_id, seq);
