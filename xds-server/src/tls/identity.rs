//! The identity in a certificate.

use std::collections::BTreeSet;

use policy::cell::CellName;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The cells that the holder of a certificate may be of: one for each URI among its subject
/// alternative names that is `spiffe://<trust domain>/cell/<cell>` (SPIFFE-ID, section 2). A
/// certificate that cannot be read names none.
pub(super) fn cells(certificate: &[u8], trust_domain: &str) -> BTreeSet<CellName> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return BTreeSet::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    uris.filter_map(|uri| cell(uri, trust_domain)).collect()
}

/// The name of a cell in a SPIFFE ID; `None` for any other URI.
fn cell(uri: &str, trust_domain: &str) -> Option<CellName> {
    let path = uri.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?;
    path.strip_prefix("/cell/")?.parse().ok()
}

/// The end of a certificate, in seconds since 1970; `None` if it cannot be read.
pub(super) fn not_after_s(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["edge.example".to_owned()]).unwrap();
        params
            .subject_alt_names
            .extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_names_cells_by_spiffe_ids_of_the_trust_domain() {
        let uris = ["spiffe://tenantry/cell/eu-1", "spiffe://tenantry/cell/eu-2"];
        let named: Vec<_> =
            cells(&certificate(&uris), "tenantry").iter().map(ToString::to_string).collect();
        assert_eq!(named, ["eu-1", "eu-2"]);
    }

    #[test]
    fn any_other_name_is_no_cell() {
        for uri in [
            "spiffe://other/cell/eu-1",
            "spiffe://tenantry.example/cell/eu-1",
            "spiffe://tenantry/cell/eu-1/x",
            "spiffe://tenantry/cell/",
            "spiffe://tenantry/cells/eu-1",
            "https://tenantry/cell/eu-1",
        ] {
            assert!(cells(&certificate(&[uri]), "tenantry").is_empty(), "{uri}");
        }
        assert!(cells(b"no certificate", "tenantry").is_empty());
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        assert!(not_after_s(&certificate(&[])).is_some_and(|at| at > 0));
        assert_eq!(not_after_s(b"no certificate"), None);
    }
}
