//! What GitOps tools make of an `Identity`: every status that the operator can write, as kstatus and Argo CD read it. No cluster; what a real
//! API server shows of it is in `tests/cluster/gitops`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod argo;
mod health;
mod kstatus;
mod statuses;
