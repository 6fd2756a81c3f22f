//! The parts of a request that a decision needs, taken from its header map in one pass.

use crate::header_name;
use crate::headers::Header;
use crate::id::TenantId;
use crate::scan;

/// The relevant parts of a request's header map.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The whole map.
    pub headers: &'a [Header<'a>],
    /// `:authority`.
    pub authority: &'a [u8],
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` without its query.
    pub path: &'a [u8],
    /// The query, without the question mark; `None` if there is none.
    pub query: Option<&'a [u8]>,
    /// The values of `Authorization`, and of [`header_name::CREDENTIAL`].
    pub authorization: Vec<&'a [u8]>,
    /// True if anything follows the headers.
    pub has_body: bool,
    /// True if there is a signature (RFC 9421 section 4).
    pub signed: bool,
    /// [`header_name::CLIENT_ADDRESS`].
    pub client_address: Option<&'a [u8]>,
    /// [`header_name::LISTENER`].
    pub listener: Option<&'a [u8]>,
    /// `content-length`, in bytes.
    pub content_length: Option<u64>,
    /// The names of the client's headers that have to be removed, each once or more.
    pub reserved: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Reads a header map whose names are in lower case, pseudo-headers included, as Envoy gives
    /// it.
    pub fn read(headers: &'a [Header<'a>], has_body: bool) -> Self {
        let mut request = Self { headers, has_body, ..Self::default() };
        for (name, value) in headers {
            // By the length first: most headers have one that no name here has.
            match name.len() {
                5 | 7 | 10 => request.read_pseudo(name, value),
                9 | 13 | 14 | 15 | 24 => request.read_known(name, value),
                _ => {}
            }
            if name.first() == Some(&b'x')
                && name.starts_with(header_name::RESERVED_PREFIX.as_bytes())
            {
                request.read_reserved(name, value);
            }
        }
        request
    }

    /// Takes in a pseudo-header.
    #[inline(never)]
    fn read_pseudo(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b":path" => match scan::position(value, b'?') {
                Some(at) => {
                    self.path = value.get(..at).unwrap_or_default();
                    self.query = value.get(at + 1..);
                }
                None => self.path = value,
            },
            b":method" => self.method = value,
            b":authority" => self.authority = value,
            _ => {}
        }
    }

    /// Takes in one of the other headers that matter here.
    #[inline(never)]
    fn read_known(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"authorization" => self.authorization.push(value),
            b"content-length" => self.content_length = decimal(value),
            b"signature" | b"signature-input" => self.signed = true,
            _ if name == header_name::CLIENT_ADDRESS.as_bytes() => {
                self.client_address = Some(value)
            }
            _ => {}
        }
    }

    /// Takes in a header that only Tenantry may set. A credential is no more than it would be in
    /// `Authorization`, and stays.
    #[cold]
    fn read_reserved(&mut self, name: &'a [u8], value: &'a [u8]) {
        if name == header_name::CREDENTIAL.as_bytes() {
            return self.authorization.push(value);
        }
        if name == header_name::LISTENER.as_bytes() {
            self.listener = Some(value);
        }
        self.reserved.push(name);
    }

    /// Returns true if the listener that took the request may lead to this tenant. A header that
    /// names no tenant leads to none.
    pub fn may_reach(&self, tenant: TenantId) -> bool {
        let named = |listener: &[u8]| std::str::from_utf8(listener).ok()?.parse().ok();
        self.listener.is_none_or(|listener| named(listener) == Some(tenant))
    }

    /// The values of a header, by its name in lower case.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(known, _)| *known == name.as_bytes())
            .map(|(_, value)| *value)
    }

    /// The headers whose names are text, as all are that matter.
    pub fn named_headers(&self) -> Vec<(&'a str, &'a [u8])> {
        self.headers
            .iter()
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, *value)))
            .collect()
    }

    /// The parameters of the query: name and value, as they were sent.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let pairs = self.query.into_iter().flat_map(|query| query.split(|byte| *byte == b'&'));
        pairs.map(|pair| match scan::position(pair, b'=') {
            Some(at) => {
                (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        })
    }
}

/// A number as headers have it: digits, and blanks around them.
pub fn decimal(value: &[u8]) -> Option<u64> {
    let digits = match value {
        [b'0'..=b'9', .., b'0'..=b'9'] => value,
        _ => value.trim_ascii(),
    };
    let add = |number: u64, digit: &u8| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    let add_small = |number: u32, digit: &u8| match digit {
        b'0'..=b'9' => Some(number * 10 + u32::from(digit - b'0')),
        _ => None,
    };
    match digits.len() {
        0 => None,
        // As most are: a status, a length below 100 MB.
        1..=8 => digits.iter().try_fold(0, add_small).map(u64::from),
        _ => digits.iter().try_fold(0, add),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
