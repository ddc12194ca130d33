//! What GitOps tools do to `Identities` and make of them, on a real API server. The tools themselves are not here: their requests are made by
//! kubectl, and their verdicts by the same rules (`tests/gitops`).

mod admission;
mod flux;
mod health;
mod manifests;
mod sync;

// The tests without a cluster use all of these, the ones here a part.
#[allow(dead_code)]
#[path = "../../gitops/argo.rs"]
mod argo;
#[allow(dead_code)]
#[path = "../../gitops/kstatus.rs"]
mod kstatus;
#[allow(dead_code)]
#[path = "../../gitops/statuses.rs"]
mod statuses;

pub use kstatus::{Kstatus, kstatus};
