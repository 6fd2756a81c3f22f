//! Short cuts from the host of a request to its site: one look instead of two in maps that are
//! bounded by their content.

use std::rc::{Rc, Weak};

use policy::hash::place_of;
use policy::site::Site;
use policy::state::Reached;

/// The number of hosts that have one. A place is some 40 bytes, the name of the host, which is no
/// longer than names are (260 bytes with a port), and, of a site that is gone, the rest of it until
/// the place is taken: some 700 bytes without its content. All together 4 MB at the worst.
const PLACES: usize = 4_096;

/// The age of a short cut; it leads nowhere when anything of that has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age {
    /// Of the pushed state.
    pub(crate) generation: u32,
    /// Of the maps behind it ([`policy::cache::Cache::turns`]): they have to see the values in use.
    pub(crate) turns: (u32, u32),
}

/// The short cuts of a VM. Two hosts in one place take it from each other.
pub(crate) struct Shortcuts {
    key: u64,
    places: Box<[Option<Shortcut>]>,
}

struct Shortcut {
    authority: Box<[u8]>,
    age: Age,
    to: To,
}

enum To {
    /// The map behind it says for how long the site is kept.
    Site(Weak<Site>),
    SharedApi,
}

impl Shortcuts {
    pub(crate) fn new(key: u64) -> Self {
        Self { key, places: std::iter::repeat_with(|| None).take(PLACES).collect() }
    }

    fn place(&mut self, authority: &[u8]) -> Option<&mut Option<Shortcut>> {
        let at = place_of(authority, self.key) % PLACES as u64;
        self.places.get_mut(usize::try_from(at).unwrap_or(0))
    }

    pub(crate) fn get(&mut self, authority: &[u8], age: Age) -> Option<Reached> {
        let known = self.place(authority)?.as_ref()?;
        if known.age != age || *known.authority != *authority {
            return None;
        }
        match &known.to {
            To::Site(site) => site.upgrade().map(Reached::Site),
            To::SharedApi => Some(Reached::SharedApi),
        }
    }

    #[inline(never)]
    pub(crate) fn put(&mut self, authority: &[u8], age: Age, reached: &Reached) {
        let to = match reached {
            Reached::Site(site) => To::Site(Rc::downgrade(site)),
            Reached::SharedApi => To::SharedApi,
        };
        if let Some(place) = self.place(authority) {
            *place = Some(Shortcut { authority: authority.into(), age, to });
        }
    }
}
