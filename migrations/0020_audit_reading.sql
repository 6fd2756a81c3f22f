-- Reading the audit log: by what it is filtered by, and by operators over all tenants.

SET lock_timeout = '10s';

CREATE INDEX audit_log_actor_idx ON audit_log (tenant_id, actor_id, seq);
CREATE INDEX audit_log_object_idx ON audit_log (tenant_id, object_id, seq);
CREATE INDEX audit_log_request_idx ON audit_log (tenant_id, request_id, seq);
-- Over all tenants the order is that of time.
CREATE INDEX audit_log_at_idx ON audit_log (at, tenant_id, seq);

-- A scope of its own, and not that of the platform, so that only what reads the log asks for it.
CREATE POLICY auditor ON audit_log FOR SELECT TO tenantry_admin
    USING (current_setting('tenantry.scope', true) = 'audit');
