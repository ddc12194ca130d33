//! What is not tried on an older API server than all tests run on: see "Kubernetes versions" in docs/contributing/testing.md. May not
//! start anything.

use super::{World, say};

/// Whether the API server is older than this minor of Kubernetes 1. Then `what` is not tried, and that is said.
///
/// Give the oldest minor that is known to have it: one that `make matrix` tried, not one that a changelog names.
pub async fn lacks(world: &World, minor: u32, what: &str) -> bool {
    let version = world.client.apiserver_version().await.unwrap();
    // Some builds end it with a plus.
    let found: u32 = version.minor.trim_end_matches('+').parse().unwrap();
    if found >= minor {
        return false;
    }
    say(&format!("skipped on 1.{found}: {what}"));
    true
}
