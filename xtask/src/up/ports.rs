//! The ports of `up`: all of them at a fixed distance from `--port-base`.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use stack::ports::{is_free, loopback};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) envoy_admin: SocketAddr,
    pub(crate) xds_grpc: SocketAddr,
    pub(crate) xds_http: SocketAddr,
    pub(crate) postgres: SocketAddr,
    /// One upstream for each demo tenant.
    pub(crate) upstreams: [SocketAddr; 2],
}

/// The distance of the last port from the base.
const LAST: u16 = 96;

impl Ports {
    pub(crate) fn new(base: u16) -> Result<Ports> {
        ensure!(
            (1024..=u16::MAX - LAST).contains(&base),
            "--port-base {base} is not between 1024 and {}",
            u16::MAX - LAST
        );
        let at = |distance: u16| loopback(base + distance);
        Ok(Ports {
            gateway: at(80),
            admin: at(90),
            envoy_admin: at(91),
            xds_grpc: at(92),
            xds_http: at(93),
            postgres: at(54),
            upstreams: [at(95), at(LAST)],
        })
    }

    /// Fails with the first port that something else listens on.
    pub(crate) fn ensure_free(&self, private_postgres: bool) -> Result<()> {
        let all = [
            ("the gateway", self.gateway),
            ("tenantry-admin", self.admin),
            ("Envoy's admin interface", self.envoy_admin),
            ("tenantry-xds (gRPC)", self.xds_grpc),
            ("tenantry-xds (HTTP)", self.xds_http),
            ("the first demo upstream", self.upstreams[0]),
            ("the second demo upstream", self.upstreams[1]),
            ("PostgreSQL", self.postgres),
        ];
        for (part, addr) in all {
            ensure!(
                is_free(addr) || (part == "PostgreSQL" && !private_postgres),
                "port {} is in use, and {part} wants it: stop what listens there, or take other \
                 ports with --port-base \
                 (20000, say; the default is 10000)",
                addr.port()
            );
        }
        Ok(())
    }
}
