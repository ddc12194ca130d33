//! How tests wait: for a condition, with a deadline, never for a time. Read in by what needs it; asserts nothing else.

use std::time::Duration;

/// Far longer than anything takes that comes about at all.
pub const DEADLINE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(30);

/// Polls until `probe` gives something; fails the test, naming `what`, after a deadline.
pub async fn eventually<T>(what: &str, probe: impl AsyncFn() -> Option<T>) -> T {
    let wait = async {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(DEADLINE, wait).await;
    found.unwrap_or_else(|_| panic!("in vain: waited {} s for {what}", DEADLINE.as_secs()))
}
