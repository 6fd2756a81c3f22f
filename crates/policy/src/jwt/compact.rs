//! The compact serialization of JWS (RFC 7515 section 7.1), read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::Json;
use super::rejected::Rejected;
use crate::settings::Algorithm;

/// The longest token that is read, in bytes. Tokens with hundreds of groups reach 5 or 6 KiB; what
/// is longer is checked by nobody cheaply. It bounds all that reading a token can cost.
pub const MAX_TOKEN_LEN: usize = 8192;

/// Types of tokens that are accepted: the general ones of RFC 7519 and RFC 7515, and the access
/// tokens of RFC 9068. Other tokens that an issuer signs, such as those that announce a logout, are
/// not for this (RFC 8725 section 3.11).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "jose"];

/// A token in its parts. Nothing in it is verified.
pub(super) struct Compact<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<Box<str>>,
    pub(super) payload: Vec<u8>,
    /// The signed text: the first two parts and the dot between them.
    pub(super) message: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Reads the header, and decodes the rest.
    ///
    /// Base64url has to be in the one form that RFC 7515 section 2 allows: no padding, no unused
    /// bits that are set, so that a token has no second spelling. A token of another number of
    /// parts, such as an encrypted one, is refused.
    pub(super) fn parse(token: &'t [u8]) -> Result<Self, Rejected> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(Rejected::TooLong);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejected::Malformed);
        };
        let message = token.get(..header.len() + 1 + payload.len()).ok_or(Rejected::Malformed)?;
        let header =
            Json::parse(&decode(header)?).filter(Json::is_object).ok_or(Rejected::Malformed)?;
        let algorithm = algorithm(&header)?;
        check_header(&header)?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_text().ok_or(Rejected::Malformed)?.into()),
        };
        Ok(Self {
            algorithm,
            kid,
            payload: decode(payload)?,
            message,
            signature: decode(signature)?,
        })
    }
}

fn decode(part: &[u8]) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected::Malformed)
}

/// The algorithm, by its exact name; `none` is not one.
fn algorithm(header: &Json) -> Result<Algorithm, Rejected> {
    let name = header.get("alg").and_then(Json::as_text).ok_or(Rejected::Malformed)?;
    algorithm_named(name).ok_or(Rejected::Algorithm)
}

/// Extensions that have to be understood are refused, as none is (RFC 7515 section 4.1.11), and so
/// is an unencoded payload (RFC 7797). Keys that the token brings along (`jwk`, `jku`, `x5c`,
/// `x5u`) are never looked at.
fn check_header(header: &Json) -> Result<(), Rejected> {
    if header.get("crit").is_some() || header.get("b64").is_some() {
        return Err(Rejected::Critical);
    }
    let Some(kind) = header.get("typ") else { return Ok(()) };
    let kind = kind.as_text().ok_or(Rejected::Malformed)?.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    if TYPES.contains(&kind) { Ok(()) } else { Err(Rejected::Type) }
}

/// The algorithm of a name of RFC 7518 section 3.1 or RFC 8037 section 3.1; `Ed25519` is the name
/// that RFC 9864 gives to what issuers mean by `EdDSA`.
pub(super) fn algorithm_named(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        _ => return None,
    })
}
