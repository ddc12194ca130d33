//! An Unkey v2 identities API in memory: a test double, not a server to keep data in.

mod http;
pub mod state;

pub use http::{Control, Counts, Emulator, Entry, Fault, FaultKind, Options, Ordered, Workspace};
pub use state::{IdentityView, KeyStatus, Operation, Permissions, RatelimitView, Seed, Settings, Snapshot};
