//! The costliest things that the filter does for honest clients and for the control plane, each in
//! the callback in which the filter does it, and without Envoy: a test of `stack` measures what
//! they take of the callback's fuel.

use std::cell::RefCell;

use policy::id::{SiteId, Uuid};
use policy::jwt::{check_here, verify};
use policy::mirror::{Left, Mirror};
use policy::site::Site;

thread_local! {
    /// The input of the next callback.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The site whose issuers' tokens are verified.
    static SITE: RefCell<Option<Site>> = const { RefCell::new(None) };
    static MIRROR: RefCell<Option<Mirror>> = const { RefCell::new(None) };
}

/// The time of all that happens here, in milliseconds since the Unix epoch.
const NOW_MS: u64 = 1_700_000_000_000;

#[expect(unsafe_code, reason = "the exports that Envoy would call")]
#[expect(unreachable_pub, reason = "nothing in Rust reaches them")]
mod exports {
    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_abi_version_0_2_1() {}

    /// Room for the input of the next callback.
    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_memory_allocate(len: usize) -> *mut u8 {
        super::INPUT.with_borrow_mut(|input| {
            input.clear();
            input.resize(len, 0);
            input.as_mut_ptr()
        })
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_configure() -> usize {
        super::decode()
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_request_headers() -> usize {
        super::decode()
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_request_body() -> usize {
        super::check()
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_grpc_receive() -> usize {
        super::receive()
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn proxy_on_tick() -> usize {
        super::connect()
    }
}

/// Decodes the policy of a site, as the first request to it does; answers whether it can be read.
fn decode() -> usize {
    let site = INPUT.with_borrow(|policy| Site::decode(SiteId(Uuid::from_u128(7)), policy, 1));
    let read = usize::from(site.is_some());
    SITE.set(site);
    read
}

/// Verifies a token in here, as the filter does where Envoy cannot; answers under how many keys.
fn check() -> usize {
    let mut checks = 0;
    SITE.with_borrow(|site| {
        let Some(site) = site else { return };
        let _ = INPUT.with_borrow(|token| {
            verify(&site.issuers, token, NOW_MS, |operation| {
                checks += 1;
                check_here(operation)
            })
        });
    });
    checks
}

/// Takes in a message of the control plane; answers how many things Envoy would be asked for.
fn receive() -> usize {
    MIRROR.with_borrow_mut(|mirror| {
        let mirror = mirror.get_or_insert_with(|| {
            Mirror::start("edge-1".to_owned(), "default".to_owned(), &Left::default()).0
        });
        INPUT.with_borrow(|message| {
            let noted = mirror.expected(message);
            mirror.received(message).len() + usize::from(noted.is_some())
        })
    })
}

/// Begins a new stream, and lists what is held; answers in how many messages.
fn connect() -> usize {
    MIRROR.with_borrow(|mirror| mirror.as_ref().map_or(0, |mirror| mirror.connected().len()))
}
