//! The root key in use together with the policies, as one reconcile sees them.

use std::sync::Arc;

use crate::domain::Policy;
use crate::unkey;

/// The root key in use, and what is decided with it in view. A reconcile keeps to one from its beginning to its end, so that
/// nothing is sent with another key than the one it was decided for.
pub struct PinnedClient {
    /// Policies, and the key's fingerprint.
    pub policy: Arc<Policy>,
    /// A client that uses this key only; else, why there is none.
    pub unkey: Result<unkey::Client, String>,
}

impl PinnedClient {
    /// The key that is there now, under these policies.
    pub fn with(policy: &Policy, unkey: &unkey::Client) -> Self {
        let (unkey, credential) = match unkey.pinned() {
            Ok((client, mark)) => (Ok(client), Some(mark)),
            Err(missing) => (Err(missing.to_string()), None),
        };
        Self { policy: Arc::new(Policy { credential, ..policy.clone() }), unkey }
    }
}
