-- Versions whose routes are published right under the base path, and what finds the states that nobody came back to.
SET LOCAL lock_timeout = '10s';

-- Whether the name of a version is a segment of its routes' paths.
ALTER TABLE api_versions ADD COLUMN in_path boolean NOT NULL DEFAULT true;
GRANT SELECT (in_path) ON api_versions TO tenantry_xds;

-- Housekeeping looks by these.
CREATE INDEX invitations_ended_at ON invitations (coalesce(accepted_at, expires_at));
CREATE INDEX service_tokens_ended_at ON service_tokens (least(revoked_at, expires_at));
CREATE INDEX sessions_ended_at ON sessions (least(revoked_at, expires_at));
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX login_sources_last_good_at ON login_sources (last_good_at);
CREATE INDEX mail_outbox_expires_at ON mail_outbox (expires_at);
CREATE INDEX totp_factors_unconfirmed ON totp_factors (created_at) WHERE confirmed_at IS NULL;
DROP INDEX sessions_expires_at;
