-- The commit of a change in a trace (W3C Trace Context, section 3.2), by which xds-server links the push of the change to
-- the request that asked for it. NULL for a commit that was not traced.
SET LOCAL lock_timeout = '10s';
ALTER TABLE change_log ADD COLUMN traceparent text;
ALTER TABLE change_log ADD CONSTRAINT change_log_traceparent_check
    CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
ALTER TABLE change_log VALIDATE CONSTRAINT change_log_traceparent_check;
-- For the changes that xds-server makes itself (0014), which have no trace.
GRANT INSERT (traceparent) ON change_log TO tenantry_xds;
