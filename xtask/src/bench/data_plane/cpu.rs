//! The CPU time of processes, as Linux counts it.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// The CPU time that a process has used so far, all of its threads, in user and kernel mode, in
/// microseconds. The kernel gives it in ticks of 10 ms.
pub(super) fn used_us(pid: i32) -> Result<f64> {
    let stat = read(pid)?;
    in_us(stat.own_ticks)
}

/// Likewise, with all children of the process, those that have ended included.
pub(super) fn used_with_children_us(pid: i32) -> Result<f64> {
    let stat = read(pid)?;
    let mut ticks = stat.own_ticks + stat.ended_children_ticks;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        // One that ends meanwhile is no error: its parent has its time then.
        if let Some(child) = read(child).ok().filter(|child| child.parent == pid) {
            ticks += child.own_ticks;
        }
    }
    in_us(ticks)
}

/// The figures of proc(5) about a process.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: i32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

fn read(pid: i32) -> Result<Stat> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    parse(&stat).with_context(|| format!("{path} is not as proc(5) says"))
}

/// The parent is the 4th field, utime, stime, cutime and cstime are the 14th to 17th. The second
/// one, the program's name, may hold spaces and brackets.
fn parse(stat: &str) -> Option<Stat> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(11)? + ticks(12)?,
        ended_children_ticks: ticks(13)? + ticks(14)?,
    })
}

fn in_us(ticks: u64) -> Result<f64> {
    let ticks_per_second =
        sysconf(SysconfVar::CLK_TCK)?.context("the kernel has no clock ticks")?;
    Ok(ticks as f64 * 1e6 / ticks_per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::{Stat, parse, used_with_children_us};

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "42 (wrk) 1 (x) S 7 42 42 0 -1 4194560 100 0 0 0 17 25 3 2 20 0 3 0 100 1 1";
        assert_eq!(parse(stat), Some(Stat { parent: 7, own_ticks: 42, ended_children_ticks: 5 }));
        assert_eq!(parse("42 (envoy) S"), None);
        assert!(used_with_children_us(std::process::id().cast_signed()).is_ok());
    }
}
