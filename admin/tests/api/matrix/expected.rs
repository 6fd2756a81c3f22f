//! The expected answer, by the permission table alone.

use admin::rights::permissions::Who;

use super::callers::{Caller, Rank};
use crate::harness::Reply;

/// The owner of the objects that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// All of them belong to the caller's tenant, if it has one.
    Own,
    /// The parts from this one on belong to another tenant, or do not exist.
    Elsewhere { from: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Unauthorized,
    Forbidden,
    NotFound,
    /// The caller is let through; the fixture says what happens then.
    Through,
}

/// Computes the expected answer by the table alone. `site_level`: the path names a site.
pub(crate) fn expected(who: Who, caller: Caller, object: Object, path: &str) -> Expected {
    let in_tenant = path.contains("{tenant_id}");
    let site_level = path.contains("{site_id}");
    if who == Who::Anyone {
        return Expected::Through;
    }
    let found = if object == Object::Own { Expected::Through } else { Expected::NotFound };
    let (rank, in_person) = match caller {
        Caller::Nobody => return Expected::Unauthorized,
        Caller::Operator if who == Who::Account => return Expected::Forbidden,
        Caller::Operator => return found,
        Caller::Account(_) | Caller::SiteDeveloper if who == Who::Account => return found,
        Caller::Service(_) if who == Who::Account => return Expected::Forbidden,
        Caller::Account(rank) => (rank, true),
        Caller::Service(rank) => (rank, false),
        Caller::SiteDeveloper
            if site_level && matches!(object, Object::Own | Object::Elsewhere { from: 2.. }) =>
        {
            (Rank::Developer, true)
        }
        // A developer of one site sees no other.
        Caller::SiteDeveloper if site_level => return Expected::NotFound,
        Caller::SiteDeveloper => (Rank::None, true),
    };
    if !in_tenant {
        return Expected::Forbidden;
    }
    let is_member = caller == Caller::SiteDeveloper || rank > Rank::None;
    if !is_member || object == (Object::Elsewhere { from: 0 }) {
        return Expected::NotFound;
    }
    let allowed = match who {
        Who::Member => true,
        Who::Viewer => rank >= Rank::Viewer,
        Who::Developer => rank >= Rank::Developer,
        Who::TenantDeveloper => rank >= Rank::Developer && caller != Caller::SiteDeveloper,
        Who::Admin => rank >= Rank::Admin,
        Who::AdminInPerson => rank >= Rank::Admin && in_person,
        Who::Operator | Who::Account | Who::Anyone => false,
    };
    if allowed { found } else { Expected::Forbidden }
}

/// Compares an answer with the expected one.
#[track_caller]
pub(crate) fn compare(reply: &Reply, expected: Expected, through: &[u16], context: &str) {
    let (status, text) = (reply.status, reply.text());
    match expected {
        Expected::Unauthorized => assert_eq!(status, 401, "{context}: {text}"),
        Expected::Forbidden => {
            assert_eq!(status, 403, "{context}: {text}");
            assert_eq!(reply.json()["type"], "urn:tenantry:problem:forbidden", "{context}");
        }
        Expected::NotFound => {
            assert_eq!(status, 404, "{context}: {text}");
            assert_eq!(reply.json()["type"], "urn:tenantry:problem:not-found", "{context}");
        }
        Expected::Through => assert!(through.contains(&status), "{context}: {status} {text}"),
    }
}
