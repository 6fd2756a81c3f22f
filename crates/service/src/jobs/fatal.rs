//! The place where the first fatal end waits for `main`.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::end::FatalEnd;

/// The place for the first end that ends the program.
#[derive(Debug, Default)]
pub(super) struct Fatal {
    first: Mutex<Option<FatalEnd>>,
    news: Notify,
}

impl Fatal {
    pub(super) fn put(&self, end: FatalEnd) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(end);
        self.news.notify_one();
    }

    pub(super) async fn take(&self) -> FatalEnd {
        loop {
            let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(first) = first {
                return first;
            }
            self.news.notified().await;
        }
    }
}
