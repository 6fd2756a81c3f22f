//! The state of one connection: the requests that are under way, and the time at which it has to be
//! closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// The state of a connection. Its task, its requests and the table of all connections share it.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests whose answer has not begun: they have a time limit of their own.
    handled: usize,
    /// Requests whose answer is being sent.
    answered: usize,
    /// There was a request.
    has_asked: bool,
    /// The time of the last progress: the start, the end of a request, a byte of an answer.
    since: Instant,
}

/// The reason for which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// No request came.
    Silent,
    /// No further request came.
    Idle,
    /// The client does not read its answer.
    Stalled,
}

impl Over {
    /// The name of the reason, for metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
        }
    }
}

/// The order in which connections are given up: those without a request first, and of those the
/// one that has been so for the longest time.
pub(super) type Worth = (bool, Instant);

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        let state = State { handled: 0, answered: 0, has_asked: false, since: now };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole numbers behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come, with its whole head.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        let mut state = self.state();
        state.handled += 1;
        state.has_asked = true;
        drop(state);
        UnderWay { activity: Arc::clone(self), is_answered: false }
    }

    /// Bytes have gone out.
    pub(super) fn wrote(&self, now: Instant) {
        let mut state = self.state();
        if state.answered > 0 {
            state.since = now;
        }
    }

    /// The time at which the connection is over if nothing more happens, and the reason; `None`
    /// while a request is handled.
    pub(super) fn end(&self, limits: &Limits) -> Option<(Instant, Over)> {
        let state = self.state();
        if state.handled > 0 {
            None
        } else if state.answered > 0 {
            Some((state.since + limits.stall_time, Over::Stalled))
        } else if state.has_asked {
            Some((state.since + limits.idle_time, Over::Idle))
        } else {
            Some((state.since + limits.head_time, Over::Silent))
        }
    }

    pub(super) fn worth(&self) -> Worth {
        let state = self.state();
        (state.handled + state.answered > 0, state.since)
    }

    /// Ends the connection, to make room for another one.
    pub(super) fn give_up(&self) {
        // The one task that waits is told even if it does not wait yet.
        self.ended.notify_one();
    }

    /// Waits until the connection is given up.
    pub(super) async fn given_up(&self) {
        self.ended.notified().await;
    }
}

/// A request of a connection, until its answer was sent.
#[derive(Debug)]
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl UnderWay {
    /// The answer begins.
    pub(super) fn answer(mut self) -> Self {
        let mut state = self.activity.state();
        state.handled -= 1;
        state.answered += 1;
        state.since = Instant::now();
        drop(state);
        self.is_answered = true;
        self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        if self.is_answered {
            state.answered -= 1;
        } else {
            state.handled -= 1;
        }
        state.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_over_by_the_time_since_its_last_progress() {
        let limits = Limits {
            head_time: Duration::from_secs(1),
            idle_time: Duration::from_secs(2),
            stall_time: Duration::from_secs(3),
            ..Limits::default()
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let activity = Arc::new(Activity::new(start));
        assert_eq!(activity.end(&limits), Some((after(1), Over::Silent)));
        activity.wrote(after(1));
        assert_eq!(activity.end(&limits), Some((after(1), Over::Silent)), "as in a handshake");
        let request = activity.request();
        assert_eq!(activity.end(&limits), None);
        tokio::time::advance(Duration::from_secs(10)).await;
        let answer = request.answer();
        assert_eq!(activity.end(&limits), Some((after(13), Over::Stalled)));
        activity.wrote(after(12));
        assert_eq!(activity.end(&limits), Some((after(15), Over::Stalled)));
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(answer);
        assert_eq!(activity.end(&limits), Some((after(22), Over::Idle)));
        let broken_off = activity.request();
        drop(broken_off);
        assert_eq!(activity.worth(), (false, after(20)));
    }
}
