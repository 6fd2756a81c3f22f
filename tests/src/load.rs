//! Load from `wrk`, a separate program, and its counts.

use std::{fmt, net::SocketAddr, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

/// The longest time that a load runs if nobody ends it, in seconds.
const MAX_SECONDS: u32 = 600;

/// A running load: GETs of one path over eight connections that are kept open.
pub struct Load {
    wrk: Child,
    what: String,
}

/// The counts that `wrk` prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    /// Requests with an answer.
    pub requests: u64,
    /// Answers with a status other than 2xx and 3xx.
    pub not_ok: u64,
    /// Failed connections, failed reads and writes, and time-outs.
    pub broken: u64,
    /// The median time of a request.
    pub p50: Duration,
    /// The 99th percentile of the time of a request.
    pub p99: Duration,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, not_ok, broken, p50, p99 } = self;
        write!(
            f,
            "{requests} requests, {not_ok} refused, {broken} broken, p50 {p50:?}, p99 {p99:?}"
        )
    }
}

impl Load {
    /// # Panics
    /// Panics if `wrk` cannot be started.
    pub fn start(gateway: SocketAddr, host: &str, path: &str, key: &str) -> Self {
        let wrk = Command::new("wrk")
            .args(["--threads", "1", "--connections", "8", "--timeout", "10s", "--latency"])
            .args(["--duration", &format!("{MAX_SECONDS}s")])
            .args(["--header", &format!("Host: {host}"), "--header", &format!("X-API-Key: {key}")])
            .arg(format!("http://{gateway}{path}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("wrk: {error}; `apt-get install wrk` provides it"));
        Self { wrk, what: format!("{host}{path}") }
    }

    /// Lets the load run for a moment, so that what follows happens under load.
    pub async fn warm_up(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    /// Ends the load by SIGINT, upon which `wrk` prints its counts.
    ///
    /// # Panics
    /// Panics if `wrk` had ended before, or printed something else.
    pub async fn stop(mut self) -> Counted {
        let pid =
            self.wrk.id().unwrap_or_else(|| panic!("the load on {} ended by itself", self.what));
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGINT).expect("wrk is running");
        let stdout = self.wrk.stdout.take();
        self.wrk.wait().await.expect("wrk ends");
        let mut printed = String::new();
        if let Some(mut stdout) = stdout {
            tokio::io::AsyncReadExt::read_to_string(&mut stdout, &mut printed)
                .await
                .expect("wrk's output");
        }
        counted(&printed).unwrap_or_else(|| panic!("wrk printed {printed:?}"))
    }

    /// Ends the load, and asserts that every request was answered well.
    ///
    /// # Panics
    /// Panics if one was not, or if there were none.
    pub async fn stop_without_a_loss(self) -> u64 {
        let what = self.what.clone();
        let counted = self.stop().await;
        assert!(counted.requests > 0, "no load on {what}");
        assert_eq!((counted.not_ok, counted.broken), (0, 0), "{what}: {counted:?}");
        counted.requests
    }
}

fn counted(printed: &str) -> Option<Counted> {
    let line = |marker: &str| printed.lines().find(|line| line.contains(marker));
    let numbers = |line: &str| -> Vec<u64> {
        line.split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    let requests = numbers(line(" requests in ")?).first().copied()?;
    let not_ok = line("Non-2xx or 3xx responses")
        .and_then(|line| numbers(line).last().copied())
        .unwrap_or_default();
    let broken = line("Socket errors").map(|line| numbers(line).iter().sum()).unwrap_or_default();
    let share =
        |share: &str| latency(printed.lines().find(|line| line.trim_start().starts_with(share))?);
    let (p50, p99) = (share("50%")?, share("99%")?);
    Some(Counted { requests, not_ok, broken, p50, p99 })
}

/// The time in a line such as `50%  1.23ms`.
fn latency(line: &str) -> Option<Duration> {
    let text = line.split_whitespace().nth(1)?;
    let (number, unit) = text.split_at(text.find(char::is_alphabetic)?);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_wrk_are_read() {
        let printed = "    Req/Sec     0.97k   416.77     1.93k    66.99%\n  Latency \
            Distribution\n     50%  750.00us\n     75%    1.10ms\n     99%    1.50s \n  \
                       41532 requests in 2.00s, 5.1MB read\n  Socket errors: connect 1, read 2, \
                       write 0, timeout 4\n  \
                       Non-2xx or 3xx responses: 17\nRequests/sec:  20000.1\n";
        let (p50, p99) = (Duration::from_micros(750), Duration::from_millis(1500));
        assert_eq!(
            counted(printed),
            Some(Counted { requests: 41532, not_ok: 17, broken: 7, p50, p99 })
        );
        assert_eq!(counted("unable to connect"), None);
    }
}
