//! What the commands for people read before they say anything: the Identities of the cluster, the workspace in Unkey, and how the operator is set
//! up. It only reads, and decides nothing.
//!
//! | module | does |
//! |---|---|
//! | `answers` | what one small request shows: who asks, whether they may, what time it is in Unkey |
//! | `cluster` | lists the Identities |
//! | `lease` | who holds a lease, and since when it was not renewed |
//! | `operator` | finds the operator's Pod, and the arguments that it runs with |
//! | `pace` | asks Unkey no faster than the user allows, and again where that may help |
//! | `progress` | says on standard error how far it has come, if it takes long |
//! | `workspace` | lists the identities of Unkey |

mod answers;
mod cluster;
mod error;
mod lease;
mod operator;
mod pace;
mod progress;
mod workspace;

pub use answers::{caller, may, seconds_of_date};
pub use cluster::{ListedIdentity, get_identity, list_identities, list_names, list_versions, parse_identity};
pub use error::GatherError;
pub use lease::{LeaseSight, read_lease};
pub use operator::{OperatorPod, find_operator};
pub use pace::Pace;
pub use progress::Progress;
pub use workspace::{WorkspaceListing, list_workspace, planned_identity, read_identities};
