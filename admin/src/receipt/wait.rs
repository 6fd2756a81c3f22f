//! `?wait=`: the time that a client waits for a change to arrive.

use std::time::Duration;

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Uri};

use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;

/// The parameter of the query.
pub const PARAMETER: &str = "wait";
/// The longest wait, in seconds: proxies in front of the API often give up after a minute.
pub const MAX_WAIT: u64 = 30;

/// The time that a request waits beside the time that it takes; nothing if it does not ask for it,
/// or asks for nonsense.
pub fn asked_time(method: &Method, uri: &Uri) -> Duration {
    take(method, uri).ok().flatten().map_or(Duration::ZERO, |(wait, _)| wait)
}

/// The time that a write waits, and its target without the parameter: with it or without, it is the
/// same request.
pub fn take(method: &Method, uri: &Uri) -> Result<Option<(Duration, Uri)>, Problem> {
    if method.is_safe() {
        return Ok(None);
    }
    let given = |pair: &&str| pair.split('=').next() == Some(PARAMETER);
    let pairs: Vec<_> = uri.query().unwrap_or_default().split('&').collect();
    let mut values = pairs
        .iter()
        .copied()
        .filter(given)
        .map(|pair| pair.split_once('=').map_or("", |(_, value)| value));
    let Some(value) = values.next() else { return Ok(None) };
    let seconds =
        value.parse::<u64>().ok().filter(|seconds| *seconds <= MAX_WAIT && values.next().is_none());
    let seconds = seconds
        .ok_or_else(|| Problem::field(PARAMETER, "must be a number of seconds from 0 to 30"))?;
    let rest: Vec<_> = pairs.iter().copied().filter(|pair| !given(pair)).collect();
    let target = if rest.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), rest.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse::<PathAndQuery>().map_err(|_| &INTERNAL)?);
    let uri = Uri::from_parts(parts).map_err(|_| &INTERNAL)?;
    Ok(Some((Duration::from_secs(seconds), uri)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_taken_out_of_the_target() {
        for (target, seconds, rest) in [
            ("/a?wait=5", 5, "/a"),
            ("/a?x=1&wait=0", 0, "/a?x=1"),
            ("/a?wait=30&dry_run=true&y", 30, "/a?dry_run=true&y"),
        ] {
            let (wait, uri) = take(&Method::POST, &target.parse().unwrap()).unwrap().unwrap();
            assert_eq!((wait.as_secs(), uri.to_string().as_str()), (seconds, rest), "{target}");
        }
    }

    #[test]
    fn only_writes_wait_and_no_longer_than_half_a_minute() {
        assert!(take(&Method::GET, &"/a?wait=5".parse().unwrap()).unwrap().is_none());
        assert!(take(&Method::POST, &"/a?waiting=5".parse().unwrap()).unwrap().is_none());
        for wrong in
            ["/a?wait", "/a?wait=", "/a?wait=31", "/a?wait=-1", "/a?wait=1.5", "/a?wait=1&wait=2"]
        {
            assert!(take(&Method::DELETE, &wrong.parse().unwrap()).is_err(), "{wrong}");
            assert_eq!(asked_time(&Method::DELETE, &wrong.parse().unwrap()), Duration::ZERO);
        }
    }
}
