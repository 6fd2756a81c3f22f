//! The progress of a client: the change of the log through which it has everything.
//!
//! A name that is marked remembers through which change the client had everything before, and takes
//! that along until the client has answered it. So nothing is kept for a change itself, and a
//! change that this client does not want costs nothing.

use super::stream::Stream;
use super::through::Through;

impl Stream {
    /// Takes in that the stream has been told of everything through this change.
    pub fn reached(&mut self, seq: i64) {
        self.reached = self.reached.max(seq);
    }

    /// The last change through which the client has answered everything that it wants: it has
    /// accepted it, or refused it and keeps what it had. `None` as long as it may have something
    /// from before this stream.
    pub fn acked_seq(&self) -> Option<i64> {
        if !self.answered_once || self.doubts {
            return None;
        }
        let mut through = Through::Seq(self.reached);
        for subscription in self.subscriptions() {
            let names = subscription.ready.values().chain(subscription.blocked.values()).copied();
            for name in
                names.chain(subscription.in_flight.values().map(|response| response.through))
            {
                if name == Through::Nothing {
                    // During the first sync of a client there are many names, and the first of them
                    // says it.
                    return None;
                }
                through = through.min(name);
            }
        }
        match through {
            Through::Seq(seq) => Some(seq),
            Through::Nothing | Through::All => None,
        }
    }

    /// The mark for a name that is touched now.
    pub(super) fn now(&self) -> Through {
        Through::Seq(self.reached)
    }
}
