-- The JWK Sets that xds-server has read from issuers, for its next start: an issuer that is down then has its keys all the same.
--
-- It holds public keys that issuers publish, by the digest of their URL: nothing that a tenant wrote, and nobody else's secret. So
-- it has no tenant. It is a cache: emptied, it fills again as issuers are read.
CREATE TABLE jwks_cache (
    -- SHA-256 of the URL.
    url_digest bytea PRIMARY KEY,
    -- A JWK Set in JSON, as it is pushed: the public members of the keys that can verify signatures.
    jwks       text NOT NULL,
    read_at    timestamptz NOT NULL,
    -- How long it was good then.
    lifetime_s integer NOT NULL,
    CONSTRAINT jwks_cache_url_digest_check CHECK (octet_length(url_digest) = 32),
    CONSTRAINT jwks_cache_jwks_check CHECK (octet_length(jwks) <= 65536),
    CONSTRAINT jwks_cache_lifetime_s_check CHECK (lifetime_s >= 0)
);

ALTER TABLE jwks_cache ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY xds ON jwks_cache TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON jwks_cache TO tenantry_xds;
