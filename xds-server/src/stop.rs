//! The signal that ends the tasks of the program.

use tokio::sync::watch;

/// The signal to stop: a task stops when this becomes true, or when its sender is gone.
pub type Stop = watch::Receiver<bool>;

/// Waits for the signal.
pub async fn stopped(mut stop: Stop) {
    // An error says that the sender is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}
