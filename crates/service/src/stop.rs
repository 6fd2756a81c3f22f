//! The signal by which a task learns that it has to end.

use tokio::sync::watch;

/// Tells its holder to end: when the value becomes true, or when the sender is gone.
pub type Stop = watch::Receiver<bool>;

/// Waits until the holder is told to end.
pub async fn stopped(mut stop: Stop) {
    // An error says that the sender is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Returns true once the holder has been told to end.
pub fn is_stopped(stop: &Stop) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lost_sender_stops_too() {
        let (sender, stop) = watch::channel(false);
        assert!(!is_stopped(&stop));
        drop(sender);
        assert!(is_stopped(&stop));
        stopped(stop).await;
    }

    #[tokio::test]
    async fn true_stops() {
        let (sender, stop) = watch::channel(false);
        sender.send_replace(true);
        assert!(is_stopped(&stop));
        stopped(stop).await;
    }
}
