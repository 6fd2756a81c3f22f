-- What xds-server has resolved of the names of upstreams, for its next start: an upstream has its endpoints then although DNS is down.
--
-- It holds addresses by the digest of their name: nothing that a tenant wrote. So it has no tenant. It is a cache: emptied, it fills
-- again as names are resolved.
CREATE TABLE dns_cache (
    -- SHA-256 of the name, in lower case.
    name_digest bytea PRIMARY KEY,
    -- Those that upstreams may have.
    addresses   text[] NOT NULL,
    read_at     timestamptz NOT NULL,
    CONSTRAINT dns_cache_name_digest_check CHECK (octet_length(name_digest) = 32),
    CONSTRAINT dns_cache_addresses_check CHECK (cardinality(addresses) <= 16)
);

ALTER TABLE dns_cache ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY xds ON dns_cache TO tenantry_xds USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON dns_cache TO tenantry_xds;
