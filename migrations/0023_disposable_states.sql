-- Versions whose routes are published right under the base path, and what finds the states that nobody came back to.
SET LOCAL lock_timeout = '10s';

-- Whether the name of a version is a segment of its routes' paths.
ALTER TABLE api_versions ADD COLUMN in_path boolean NOT NULL DEFAULT true;
GRANT SELECT (in_path) ON api_versions TO tenantry_xds;

-- Housekeeping looks by these.
CREATE INDEX invitations_expires_at ON invitations (expires_at) WHERE accepted_at IS NULL;
CREATE INDEX service_tokens_revoked_at ON service_tokens (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX service_tokens_expires_at ON service_tokens (expires_at) WHERE expires_at IS NOT NULL;
