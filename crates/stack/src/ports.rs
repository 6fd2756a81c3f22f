//! Free loopback ports.
//!
//! They are taken from below Linux's ephemeral range (32768 up), so that no outgoing connection can
//! sit on one of them between the moment it is chosen and the moment the part that it is for binds
//! it. Each process holds blocks of them for itself, by locks that the kernel lets go of when it
//! ends: a part that is stopped for a while finds its port free when it starts again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Ports of [`free`], by blocks of so many.
const SINGLE: Range<u16> = 15_000..27_000;
const BLOCK: u16 = 20;

/// Bases of deployments, which [`base`] hands out.
const BASES: Range<u16> = 27_000..32_700;
const DEPLOYMENT: u16 = 100;

/// The folder of the locks, in the temporary one. They stay, empty.
const LOCKS: &str = "tenantry-ports";

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

pub fn is_free(addr: SocketAddr) -> bool {
    TcpListener::bind(addr).is_ok()
}

/// A loopback address that nothing listens on, and that this function has handed out to no process
/// that still runs.
///
/// # Panics
/// If every port of the range is taken, which no test machine comes near.
pub fn free() -> SocketAddr {
    static LEFT: Mutex<Range<u16>> = Mutex::new(0..0);
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match left.next().map(loopback) {
            Some(addr) if is_free(addr) => return addr,
            Some(_) => {}
            None => *left = claim(SINGLE, BLOCK),
        }
    }
}

/// A base for `cargo xtask up --port-base`: a hundred ports that nothing listens on, and that this
/// function has handed out to no process that still runs.
///
/// # Panics
/// If there is none.
pub fn base() -> u16 {
    let hundreds = usize::from(BASES.end - BASES.start) / usize::from(DEPLOYMENT);
    (0..hundreds)
        .map(|_| claim(BASES, DEPLOYMENT))
        .find(|ports| ports.clone().all(|port| is_free(loopback(port))))
        .expect("a hundred free ports in a row")
        .start
}

/// Takes a block of ports that no other process holds, for as long as this one runs.
fn claim(range: Range<u16>, size: u16) -> Range<u16> {
    let folder = std::env::temp_dir().join(LOCKS);
    let _ = fs::create_dir_all(&folder);
    let blocks = (range.end - range.start) / size;
    // Processes that start one after the other look in different places first.
    let first = (std::process::id() % u32::from(blocks)) as u16;
    (0..blocks)
        .map(|next| range.start + (first + next) % blocks * size)
        .find(|start| {
            let lock = File::create(folder.join(start.to_string()));
            let is_ours = lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok());
            if is_ours {
                std::mem::forget(lock);
            }
            is_ours
        })
        .map(|start| start..start + size)
        .expect("every port of the range is taken")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let many = usize::from(BLOCK) * 2 + 1;
        let ports: BTreeSet<_> = (0..many).map(|_| free().port()).collect();
        assert_eq!(ports.len(), many);
        assert!(ports.iter().all(|port| SINGLE.contains(port)));
        let (one, two) = (base(), base());
        assert_ne!(one, two);
        assert!(BASES.contains(&one) && one % DEPLOYMENT == 0, "{one}");
    }
}
