//! The signature of a request: found, then verified.

use sfv::{
    BareItem, Dictionary, InnerList, ItemSerializer, ListEntry, ListSerializer, Parameters, Parser,
};

use super::component::Component;
use super::key::{Algorithm, Key};
use super::message::{Headers, combined, push_value};
use super::{Rejected, Rules, Verified};
use crate::digest_field::{self, Expected};

/// The longest `Signature-Input` or `Signature`, in bytes. A signature with all that is sensible
/// takes under 1 KB; the rest is room for those that others along the way have added.
pub const MAX_FIELD_LEN: usize = 8192;
/// The most components of a signature: it bounds the passes over the header map.
pub const MAX_COMPONENTS: usize = 32;
/// The longest `keyid` and `nonce`, in bytes: room for a URL or a certificate's thumbprint.
pub const MAX_PARAMETER_LEN: usize = 256;
/// The `tag` by which a client that sends several signatures says which one is for the gateway.
pub const TAG: &str = "tenantry";

/// The longest signature base, in bytes: the headers that Envoy lets through (60 KB) with room for
/// the names of components.
const MAX_BASE_LEN: usize = 65_536;

/// The signature of a request, not verified yet.
#[derive(Clone, Debug)]
pub struct Presented<'h> {
    headers: Headers<'h>,
    /// The covered components as they were sent, and the parameters of the signature.
    input: InnerList,
    /// The same components, understood.
    components: Vec<Component>,
    signature: Vec<u8>,
    keyid: String,
    nonce: Option<String>,
    algorithm: Option<Algorithm>,
    created_s: Option<u64>,
    expires_s: Option<u64>,
}

impl<'h> Presented<'h> {
    /// Finds the signature of a request. `None` if it has neither `Signature-Input` nor
    /// `Signature`.
    ///
    /// A request may carry several signatures, each under a label of its own, which has no meaning.
    /// Usable are those with a `keyid`, with an `alg` that is supported or none, and with their
    /// label in both fields. There has to be just one of them; where there are several, just one
    /// with the `tag` [`TAG`]. The others are not looked at.
    ///
    /// Parameters of the signature that are not known are part of the signed text, and mean nothing
    /// else here.
    pub fn parse(headers: Headers<'h>) -> Result<Option<Self>, Rejected> {
        let (input, signatures) =
            match (combined(headers, "signature-input"), combined(headers, "signature")) {
                (None, None) => return Ok(None),
                (Some(input), Some(signature)) => (input, signature),
                _ => return Err(Rejected::HalfPresent),
            };
        if input.len() > MAX_FIELD_LEN || signatures.len() > MAX_FIELD_LEN {
            return Err(Rejected::TooLong);
        }
        let input: Dictionary = Parser::new(&input).parse().map_err(|_| Rejected::Malformed)?;
        let mut signatures: Dictionary =
            Parser::new(&signatures).parse().map_err(|_| Rejected::Malformed)?;
        let usable = input.into_iter().filter_map(|(label, entry)| {
            match (entry, signatures.swap_remove(&label)) {
                (ListEntry::InnerList(list), Some(ListEntry::Item(item)))
                    if is_usable(&list.params) =>
                {
                    match item.bare_item {
                        BareItem::ByteSequence(signature) => Some((list, signature)),
                        _ => None,
                    }
                }
                _ => None,
            }
        });
        let (input, signature) = the_one(usable.collect())?;
        Self::understand(headers, input, signature).map(Some)
    }

    fn understand(
        headers: Headers<'h>,
        input: InnerList,
        signature: Vec<u8>,
    ) -> Result<Self, Rejected> {
        let components = components(&input)?;
        let string = |name| text(&input.params, name);
        let algorithm = string("alg")?
            .map(|name| Algorithm::named(&name).ok_or(Rejected::Algorithm))
            .transpose()?;
        Ok(Self {
            headers,
            components,
            signature,
            keyid: string("keyid")?.ok_or(Rejected::NoneUsable)?,
            nonce: string("nonce")?,
            algorithm,
            created_s: seconds(&input.params, "created")?,
            expires_s: seconds(&input.params, "expires")?,
            input,
        })
    }

    /// The name of the key, by which the caller finds it.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The components that the signature covers.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Checks the signature against the key that its [`Presented::keyid`] names, and against the
    /// rules of the site.
    ///
    /// `has_body` says whether anything follows the header map. `now_ms` is in milliseconds since
    /// the Unix epoch. The expensive part, the cryptography, comes last.
    pub fn verify(
        &self,
        key: &Key<'_>,
        rules: &Rules,
        has_body: bool,
        now_ms: u64,
    ) -> Result<Verified<'_>, Rejected> {
        if self.algorithm.is_some_and(|algorithm| algorithm != key.algorithm()) {
            return Err(Rejected::Algorithm);
        }
        let accepted_until_ms = self.check_time(rules, now_ms / 1000)?;
        if rules.require_nonce && self.nonce.is_none() {
            return Err(Rejected::NoNonce);
        }
        if let Some(missing) =
            rules.required.iter().find(|required| !self.components.contains(required))
        {
            return Err(Rejected::NotCovered(missing.clone()));
        }
        let content_digest = self.content_digest(rules.require_content_digest && has_body)?;
        let base = base_of(self.headers, &self.input, &self.components)?;
        if !key.matches(base.as_bytes(), &self.signature) {
            return Err(Rejected::Signature);
        }
        Ok(Verified {
            keyid: &self.keyid,
            nonce: self.nonce.as_deref(),
            accepted_until_ms,
            content_digest,
        })
    }

    /// Checks `created` and `expires`, and answers until when they let the signature pass.
    fn check_time(&self, rules: &Rules, now_s: u64) -> Result<u64, Rejected> {
        let created_s = self.created_s.ok_or(Rejected::NoCreated)?;
        if created_s > now_s.saturating_add(u64::from(rules.max_skew_s)) {
            return Err(Rejected::TooEarly);
        }
        // The second that is `max_age_s` after `created` is the last one.
        let too_old_s = created_s.saturating_add(u64::from(rules.max_age_s)).saturating_add(1);
        if now_s >= too_old_s {
            return Err(Rejected::TooOld);
        }
        let expires_s = self.expires_s.unwrap_or(u64::MAX);
        if now_s >= expires_s {
            return Err(Rejected::Expired);
        }
        Ok(too_old_s.min(expires_s).saturating_mul(1000))
    }

    /// A covered digest is always to be checked, whether or not the site requires one.
    fn content_digest(&self, required: bool) -> Result<Option<Expected>, Rejected> {
        if !self.components.iter().any(|component| component.covers_field(digest_field::HEADER)) {
            return if required { Err(Rejected::NoContentDigest) } else { Ok(None) };
        }
        let value = combined(self.headers, digest_field::HEADER).ok_or(Rejected::ContentDigest)?;
        Expected::parse(&value).map(Some).ok_or(Rejected::ContentDigest)
    }
}

/// The signature base of a request (RFC 9421 section 2.5): the bytes that a client signs.
/// `parameters` is the text behind the label in `Signature-Input`, such as `("@method"
/// "@path");created=1618884473;keyid="k"`.
///
/// It is for signers: tests, and tools for clients.
pub fn base(headers: Headers<'_>, parameters: &str) -> Result<Vec<u8>, Rejected> {
    let mut list: sfv::List = Parser::new(parameters).parse().map_err(|_| Rejected::Malformed)?;
    match (list.pop(), list.is_empty()) {
        (Some(ListEntry::InnerList(input)), true) => {
            base_of(headers, &input, &components(&input)?).map(String::into_bytes)
        }
        _ => Err(Rejected::Malformed),
    }
}

fn base_of(
    headers: Headers<'_>,
    input: &InnerList,
    components: &[Component],
) -> Result<String, Rejected> {
    let mut base = String::with_capacity(1024);
    for (item, component) in input.items.iter().zip(components) {
        let identifier = ItemSerializer::with_buffer(&mut base)
            .bare_item(&item.bare_item)
            .parameters(&item.params);
        identifier.finish().push_str(": ");
        push_value(headers, component, &mut base)
            .ok_or_else(|| Rejected::Value(component.clone()))?;
        base.push('\n');
        if base.len() > MAX_BASE_LEN {
            return Err(Rejected::BaseTooLong);
        }
    }
    base.push_str("\"@signature-params\": ");
    let mut list = ListSerializer::with_buffer(&mut base);
    let mut members = list.inner_list();
    members.items(&input.items);
    members.finish().parameters(&input.params);
    Ok(base)
}

fn components(input: &InnerList) -> Result<Vec<Component>, Rejected> {
    if input.items.len() > MAX_COMPONENTS {
        return Err(Rejected::TooManyComponents);
    }
    let mut components = Vec::with_capacity(input.items.len());
    for item in &input.items {
        let component = Component::from_item(item)?;
        if components.contains(&component) {
            return Err(Rejected::Repeated(component));
        }
        components.push(component);
    }
    Ok(components)
}

fn is_usable(parameters: &Parameters) -> bool {
    let supported = match parameters.get("alg") {
        Some(BareItem::String(name)) => Algorithm::named(name.as_str()).is_some(),
        Some(_) => false,
        None => true,
    };
    supported && matches!(parameters.get("keyid"), Some(BareItem::String(_)))
}

fn the_one(mut usable: Vec<(InnerList, Vec<u8>)>) -> Result<(InnerList, Vec<u8>), Rejected> {
    if usable.len() > 1 {
        let tagged = |parameters: &Parameters| match parameters.get("tag") {
            Some(BareItem::String(tag)) => tag.as_str() == TAG,
            _ => false,
        };
        usable.retain(|(input, _)| tagged(&input.params));
        if usable.len() != 1 {
            return Err(Rejected::Ambiguous);
        }
    }
    usable.pop().ok_or(Rejected::NoneUsable)
}

fn text(parameters: &Parameters, name: &'static str) -> Result<Option<String>, Rejected> {
    match parameters.get(name) {
        None => Ok(None),
        Some(BareItem::String(value)) if value.as_str().len() <= MAX_PARAMETER_LEN => {
            Ok(Some(value.as_str().to_owned()))
        }
        Some(_) => Err(Rejected::Parameter(name)),
    }
}

fn seconds(parameters: &Parameters, name: &'static str) -> Result<Option<u64>, Rejected> {
    match parameters.get(name) {
        None => Ok(None),
        Some(BareItem::Integer(value)) => {
            u64::try_from(i64::from(*value)).map(Some).map_err(|_| Rejected::Parameter(name))
        }
        Some(_) => Err(Rejected::Parameter(name)),
    }
}
