//! Finds lines in Envoy's log that a test must not overlook: a resource that was refused (NACK), a
//! module that failed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The levels that a healthy Envoy does not write at.
const LEVELS: [&str; 3] = ["[warning]", "[error]", "[critical]"];

/// Written at level warning whenever Envoy is asked to end.
const ORDERLY_END: &str = "caught ENVOY_SIGTERM";

/// From here on Envoy is told to end, and complains that it loses its streams.
const ENDED: &str = "caught ENVOY_SIGTERM";

/// From here on it is another process, if a test starts it again.
const STARTED: &str = "initializing epoch";

/// The lines at those levels that contain none of `allowed`.
pub(super) fn complaints(log: &Path, allowed: &[String]) -> Result<Vec<String>> {
    let bytes = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let complaint = |line: &&str| {
        let allowed = |line: &str| {
            line.contains(ORDERLY_END) || allowed.iter().any(|part| line.contains(part.as_str()))
        };
        LEVELS.iter().any(|level| line.contains(level)) && !allowed(line)
    };
    let mut is_alive = true;
    let alive = text.lines().filter(|line| {
        is_alive = line.contains(STARTED) || (is_alive && !line.contains(ENDED));
        is_alive
    });
    Ok(alive.filter(complaint).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn a_nack_is_a_complaint_until_it_is_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("envoy.log");
        let nack = "[2026-01-01 00:00:00.000][1][warning][config] [x.cc:1] delta config for \
         type.googleapis.com/envoy.config.listener.v3.Listener rejected: no";
        let ended =
            "[..][1][warning][main] caught ENVOY_SIGTERM\n[..][1][warning][config] stream closed";
        std::fs::write(&log, format!("[..][1][info][main] starting\n{nack}\n{ended}\n")).unwrap();
        assert_eq!(complaints(&log, &[]).unwrap(), [nack]);
        assert!(complaints(&log, &["rejected".to_owned()]).unwrap().is_empty());
        let again = "[..][2][info][main] initializing epoch 0 (base id=0)";
        std::fs::write(&log, format!("{ended}\n{again}\n{nack}\n{ended}\n")).unwrap();
        assert_eq!(
            complaints(&log, &[]).unwrap(),
            [nack],
            "those of an Envoy that was started again count too"
        );
    }
}
