//! Free loopback ports.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports are taken from below Linux's ephemeral range (32768 up), so that no outgoing connection
/// can sit on one of them between the moment it is chosen and the moment the part that it is for
/// binds it.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

pub fn is_free(addr: SocketAddr) -> bool {
    TcpListener::bind(addr).is_ok()
}

/// A loopback address that nothing listens on and that this process has not handed out before. Test
/// processes that run side by side begin at different places, so that they hardly ever meet.
///
/// # Panics
/// If every port of the range is taken, which no test machine comes near.
#[allow(clippy::expect_used)]
pub fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id().wrapping_mul(6_151) % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| {
            let offset = (u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed)))
                % u32::from(COUNT);
            loopback(FIRST + offset as u16)
        })
        .find(|addr| is_free(*addr))
        .expect("17,000 loopback ports are all in use")
}
