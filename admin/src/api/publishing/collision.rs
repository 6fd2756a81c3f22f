//! Routes of a site that a client could not tell apart: the same shape of the full path, and a
//! method in common.
//!
//! The check spans all APIs of the site, as `/a` with version `b` and `/` with version `a` can lead
//! to the same paths. The caller holds the site's lock ([`store::site::lock`]) from before its
//! change, so no other change can slip in between.

use std::collections::HashMap;

use policy::id::{RouteId, SiteId};
use policy::method::Methods;
use policy::path::Template;
use store::TenantTx;
use store::route::{self, SiteRoute};

use crate::http::problem::publishing::ROUTE_TAKEN;
use crate::http::problem::{FieldError, Problem};

/// A route that is to be made or changed.
pub(super) struct Candidate<'a> {
    /// The route that it is now; none if it is new.
    pub id: Option<RouteId>,
    /// Base path of the API.
    pub base_path: &'a str,
    /// The version's segment of the path, if it has one.
    pub version: Option<&'a str>,
    pub methods: Methods,
    pub path: &'a str,
}

/// Refuses a candidate that would collide with a route of the site.
pub(super) async fn refuse(
    tx: &mut TenantTx,
    site: SiteId,
    candidate: &Candidate<'_>,
) -> Result<(), Problem> {
    let wanted = shape(candidate.base_path, candidate.version, candidate.path);
    let routes = route::of_site(tx, site).await?;
    let other = routes.iter().find(|other| {
        Some(other.id) != candidate.id
            && other.methods.intersects(candidate.methods)
            && shape(&other.base_path, other.segment(), &other.path) == wanted
    });
    match other {
        Some(other) => Err(taken("path", "it", other)),
        None => Ok(()),
    }
}

/// Refuses the state of a site in which any two routes collide, after a change that moved many at
/// once. `field` is the field that the client changed.
pub(super) async fn refuse_any(
    tx: &mut TenantTx,
    site: SiteId,
    field: &'static str,
) -> Result<(), Problem> {
    let routes = route::of_site(tx, site).await?;
    match first_collision(&routes) {
        Some((one, other)) => Err(taken(field, &described(one), other)),
        None => Ok(()),
    }
}

fn first_collision(routes: &[SiteRoute]) -> Option<(&SiteRoute, &SiteRoute)> {
    let mut seen: HashMap<String, Vec<&SiteRoute>> = HashMap::with_capacity(routes.len());
    for route in routes {
        let same = seen.entry(shape(&route.base_path, route.segment(), &route.path)).or_default();
        if let Some(other) = same.iter().find(|other| other.methods.intersects(route.methods)) {
            return Some((route, other));
        }
        same.push(route);
    }
    None
}

fn taken(field: &'static str, what: &str, other: &SiteRoute) -> Problem {
    let message =
        format!("{what} could not be told apart from the route {}: {}", other.id, described(other));
    ROUTE_TAKEN.problem().with_errors(vec![FieldError::new(field, message)])
}

fn described(route: &SiteRoute) -> String {
    format!("{} {}", route.methods, full_path(&route.base_path, route.segment(), &route.path))
}

/// The path as clients send it.
fn full_path(base_path: &str, version: Option<&str>, path: &str) -> String {
    let base_path = base_path.trim_end_matches('/');
    match version {
        Some(version) => format!("{base_path}/{version}{path}"),
        None => format!("{base_path}{path}"),
    }
}

fn shape(base_path: &str, version: Option<&str>, path: &str) -> String {
    // Prefix and path were checked one by one; together they may exceed the bounds of a template,
    // never its grammar.
    let prefix = full_path(base_path, version, "");
    Template::parse(path).map_or_else(
        |_| format!("{prefix}{path}"),
        |template| format!("{prefix}{}", template.shape()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(number: u128, base_path: &str, version: &str, method: &str, path: &str) -> SiteRoute {
        let id = policy::id::Uuid::from_u128(number);
        SiteRoute {
            id: RouteId(id),
            api_id: id.into(),
            base_path: base_path.into(),
            version_id: id.into(),
            version_name: version.into(),
            version_in_path: version != "hidden",
            methods: Methods::named(method).unwrap(),
            path: path.into(),
        }
    }

    #[test]
    fn collisions_span_apis() {
        let first = route(1, "/a", "b", "GET", "/c/{id}");
        for (second, collides) in [
            (route(2, "/", "a", "GET", "/b/c/{name}"), true),
            (route(2, "/a", "b", "GET", "/c/{name}"), true),
            (route(2, "/a/b", "c", "GET", "/{name}"), true),
            (route(2, "/a/b", "hidden", "GET", "/c/{name}"), true),
            (route(2, "/", "hidden", "GET", "/a/b/c/{name}"), true),
            (route(2, "/a", "hidden", "GET", "/c/{id}"), false),
            (route(2, "/a", "b", "POST", "/c/{id}"), false),
            (route(2, "/a", "b", "GET", "/c/d"), false),
            (route(2, "/a", "b", "GET", "/c/{id}/"), false),
            (route(2, "/a", "b", "GET", "/c/{*rest}"), false),
        ] {
            let routes = [first.clone(), second];
            assert_eq!(first_collision(&routes).is_some(), collides, "{:?}", routes[1]);
        }
    }
}
