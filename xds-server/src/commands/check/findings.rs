//! From what was read to what is wrong, and what to do about it.

use store::StoreError;

use super::replica::{Replica, Said};
use super::{Facts, Finding, SiteFacts};

fn good(text: String) -> Finding {
    Finding { good: true, text }
}

fn wrong(text: String) -> Finding {
    Finding { good: false, text }
}

pub(super) fn database(facts: &Facts) -> Finding {
    good(format!("PostgreSQL answers; the last change has the number {}", facts.head))
}

pub(super) fn no_database(error: &StoreError) -> Finding {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    wrong(format!(
        "PostgreSQL cannot be read: {error}{cause}. Until it can, Envoys keep what they have; look at --database-url and at the server"
    ))
}

pub(super) fn replica(replica: &Replica, head: Option<i64>) -> Finding {
    let url = &replica.url;
    let Said { ready, readiness, applied, streams } = match &replica.said {
        Ok(said) => said,
        Err(error) => {
            return wrong(format!(
                "xds-server at {url} does not answer: {error}. Start it, or name the right address with --xds-http"
            ));
        }
    };
    let applied = applied.unwrap_or_default();
    if !ready {
        return wrong(format!("xds-server at {url} is not ready: {readiness}. Its log has the reason"));
    }
    if let Some(head) = head.filter(|head| applied < *head) {
        return wrong(format!(
            "xds-server at {url} is at change {applied} of {head}. If that stays so for seconds, it cannot follow PostgreSQL: \
             its log has the reason"
        ));
    }
    if *streams == 0 {
        return wrong(format!(
            "no Envoy is connected to xds-server at {url}. Look at the cluster `xds` in their bootstraps, and at certificates"
        ));
    }
    good(format!("xds-server at {url} is at change {applied}, and has {streams} streams; it says: {readiness}"))
}

pub(super) fn site(name: &str, facts: &Facts) -> Finding {
    let Some(SiteFacts { cells, untranslatable }) = &facts.site else {
        return wrong(format!("there is no site with the id or hostname {name:?}"));
    };
    if let Some(reason) = untranslatable {
        return wrong(format!("site {name} cannot be served as it is, and keeps what it had: {reason}"));
    }
    good(format!("site {name} can be served as it is, in the cells {}", cells.join(", ")))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
