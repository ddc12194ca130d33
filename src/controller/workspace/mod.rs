//! ONE root key of Unkey, and what is asked with it beside the queue.
//!
//! | module | does |
//! |---|---|
//! | `pinned_client` | the root key and the policies, as one session sees them |
//! | `upstream` | ONE request to Unkey |
//! | `probe` | looks whether another root key leads to the same workspace |
//! | `witness` | looks whether the root key shows anything, before something rests on absence |
//! | `drift_scan` | lists the workspace, and has looked at what differs |

pub mod drift_scan;
pub mod pinned_client;
pub mod probe;
pub mod upstream;
pub mod witness;
