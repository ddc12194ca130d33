//! ONE root key of Unkey: the client that uses it, and what is asked with it beside the queue. A process has one [`Workspace`]; for several
//! workspaces there are several releases of the chart.
//!
//! | module | does |
//! |---|---|
//! | `root_key` | the root key in use, and the client that uses it |
//! | `pinned_client` | the root key and the policies, as one session sees them |
//! | `upstream` | ONE request to Unkey |
//! | `probe` | looks whether another root key leads to the same workspace |
//! | `witness` | looks whether the root key shows anything, before something rests on absence |
//! | `drift_scan` | lists the workspace, and has looked at what differs |

pub mod drift_scan;
pub mod pinned_client;
pub mod probe;
mod root_key;
pub mod upstream;
pub mod witness;

pub use root_key::{KeyChange, Workspace};
