//! Whether the operator can work, or why not: findings, for people and for programs. It asks nobody and writes nothing: it is handed what others have
//! read, and judges it.
//!
//! | module | does |
//! |---|---|
//! | `finding` | a check with its verdict, and all of them as data, with their schema |
//! | `text` | the findings as people read them |
//! | `rights` | the one list of what the operator needs of Kubernetes |
//! | `cluster` | judges the API server, the definition and rights |
//! | `operator` | judges the operator's Pods, its lease, and what it takes in |
//! | `upstream` | judges the root key, the workspace, its limit and the clocks |
//! | `permissions` | judges what the root key may do |

mod cluster;
mod finding;
mod operator;
mod permissions;
mod rights;
#[cfg(test)]
mod tests;
mod text;
mod upstream;

pub use cluster::{DefinitionSeen, NEWEST, OLDEST, RightsSeen, api_server, api_server_away, definition, rights};
pub use finding::{Finding, Id, Report, Verdict, schema};
pub use operator::{LeaseSeen, Taken, image_version, leader, pods, unwatched, version};
pub use permissions::{Probe, Probed, permissions};
pub use rights::{Needs, Right};
pub use text::text;
pub use upstream::{Listed, Looked, MarkSeen, clock, no_key, rate_limit, unkey, workspace};
