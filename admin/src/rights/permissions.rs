//! Roles, and the one place that compares them with operations.

use store::{Role, Standing};

use super::place::Place;

/// The callers of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody who reaches the listener: probes, metrics, documentation, and the operations
    /// before a login.
    Anyone,
    /// An account that has logged in, for its own data; no operator token and no service token.
    Account,
    /// Members with any role in the tenant, even in a single site.
    Member,
    /// Members who see the tenant, or the site.
    Viewer,
    /// Members who change what is published there, and the callers of it.
    Developer,
    /// Developers of the whole tenant: a member of a single site makes no new sites, whatever the
    /// path names.
    TenantDeveloper,
    /// Members who change tokens and the tenant itself.
    Admin,
    /// An Admin in person: no service token, so that a token that leaks cannot bring in people.
    AdminInPerson,
    /// Operators of the whole platform.
    Operator,
}

impl Who {
    /// As the OpenAPI document calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Account => "account",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::TenantDeveloper => "tenant-developer",
            Self::Admin => "admin",
            Self::AdminInPerson => "admin-in-person",
            Self::Operator => "operator",
        }
    }

    /// The callers in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Anyone => "It is open to all.",
            Self::Account => "It needs an access token: a person has to log in.",
            Self::Member => "It needs any role in the tenant, or in one of its sites.",
            Self::Viewer => "It needs the role viewer.",
            Self::Developer => "It needs the role developer.",
            Self::TenantDeveloper => "It needs the role developer in the whole tenant.",
            Self::Admin => "It needs the role admin.",
            Self::AdminInPerson => "It needs the role admin. Service tokens cannot do it.",
            Self::Operator => "Only operators may do it.",
        }
    }

    /// The least role of a member; `None` if no role is enough, or none is needed.
    fn least(self) -> Option<Role> {
        match self {
            Self::Viewer => Some(Role::Viewer),
            Self::Developer | Self::TenantDeveloper => Some(Role::Developer),
            Self::Admin | Self::AdminInPerson => Some(Role::Admin),
            Self::Anyone | Self::Account | Self::Member | Self::Operator => None,
        }
    }
}

/// The kind of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// The bearer of an operator token.
    Operator,
    /// A person who has logged in.
    Account,
    /// A program with a service token.
    Service,
}

/// The table's answer about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allowed,
    /// The place of the path is answered as if it did not exist.
    Invisible,
    /// The caller may see it, and may not do this.
    Forbidden,
}

/// Decides if an operation for `who` may be done by a caller of this kind with this standing in the
/// tenant of the path.
///
/// Architecture invariant: this is the only place that compares roles with operations.
pub fn decide(who: Who, kind: CallerKind, standing: &Standing, place: Place) -> Verdict {
    match (who, kind) {
        (Who::Anyone, _) | (Who::Account, CallerKind::Account) => return Verdict::Allowed,
        (Who::Account, _) => return Verdict::Forbidden,
        (_, CallerKind::Operator) => return Verdict::Allowed,
        _ => {}
    }
    // The role in the place of the path; for a member of some sites alone, the rest of the tenant
    // is invisible.
    let role = match place {
        Place::Platform => return Verdict::Forbidden,
        _ if !standing.is_member() => return Verdict::Invisible,
        Place::Tenant(_) => standing.role,
        Place::Site(_, site) => match site.map_or(standing.role, |site| standing.in_site(site)) {
            None => return Verdict::Invisible,
            role => role,
        },
    };
    let allowed = match who {
        Who::Member => true,
        Who::AdminInPerson if kind == CallerKind::Service => false,
        Who::TenantDeveloper => standing.role >= Some(Role::Developer),
        _ => who.least().is_some_and(|least| role >= Some(least)),
    };
    if allowed { Verdict::Allowed } else { Verdict::Forbidden }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use policy::id::{SiteId, Uuid};

    use super::*;

    const SITE: SiteId = SiteId(Uuid::from_u128(1));
    const OTHER: SiteId = SiteId(Uuid::from_u128(2));

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        let rising = [
            Who::Member,
            Who::Viewer,
            Who::Developer,
            Who::TenantDeveloper,
            Who::Admin,
            Who::AdminInPerson,
            Who::Operator,
        ];
        for (role, allowed) in [(Role::Viewer, 2), (Role::Developer, 4), (Role::Admin, 6)] {
            for (index, who) in rising.into_iter().enumerate() {
                let verdict = decide(
                    who,
                    CallerKind::Account,
                    &Standing::everywhere(role),
                    Place::Tenant(None),
                );
                let expected = if index < allowed { Verdict::Allowed } else { Verdict::Forbidden };
                assert_eq!(verdict, expected, "{role:?} {who:?}");
            }
        }
        let admin = Standing::everywhere(Role::Admin);
        assert_eq!(
            decide(Who::AdminInPerson, CallerKind::Service, &admin, Place::Tenant(None)),
            Verdict::Forbidden
        );
    }

    #[test]
    fn what_is_not_a_member_s_is_invisible() {
        for who in [Who::Member, Who::Viewer, Who::Admin, Who::Operator] {
            for place in
                [Place::Tenant(None), Place::Site(None, Some(SITE)), Place::Site(None, None)]
            {
                assert_eq!(
                    decide(who, CallerKind::Account, &Standing::default(), place),
                    Verdict::Invisible,
                    "{who:?}"
                );
            }
        }
        assert_eq!(
            decide(Who::Operator, CallerKind::Account, &Standing::default(), Place::Platform),
            Verdict::Forbidden
        );
    }

    #[test]
    fn a_member_of_one_site_sees_no_other() {
        let standing = Standing { role: None, sites: BTreeMap::from([(SITE.0, Role::Developer)]) };
        let decide = |who, place| decide(who, CallerKind::Account, &standing, place);
        assert_eq!(decide(Who::Developer, Place::Site(None, Some(SITE))), Verdict::Allowed);
        assert_eq!(decide(Who::Admin, Place::Site(None, Some(SITE))), Verdict::Forbidden);
        assert_eq!(decide(Who::TenantDeveloper, Place::Site(None, Some(SITE))), Verdict::Forbidden);
        assert_eq!(
            decide(Who::TenantDeveloper, Place::Site(None, Some(OTHER))),
            Verdict::Invisible
        );
        assert_eq!(decide(Who::Viewer, Place::Site(None, Some(OTHER))), Verdict::Invisible);
        assert_eq!(decide(Who::Viewer, Place::Site(None, None)), Verdict::Invisible);
        assert_eq!(decide(Who::Viewer, Place::Tenant(None)), Verdict::Forbidden);
        assert_eq!(decide(Who::Member, Place::Tenant(None)), Verdict::Allowed);
    }

    #[test]
    fn operators_may_do_all_but_what_is_a_person_s_own() {
        let nobody = Standing::default();
        for who in [Who::Anyone, Who::Member, Who::AdminInPerson, Who::Operator] {
            assert_eq!(
                decide(who, CallerKind::Operator, &nobody, Place::Tenant(None)),
                Verdict::Allowed
            );
        }
        for kind in [CallerKind::Operator, CallerKind::Service] {
            assert_eq!(decide(Who::Account, kind, &nobody, Place::Platform), Verdict::Forbidden);
        }
    }
}
