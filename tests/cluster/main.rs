//! The operator as a process against a real etcd and kube-apiserver and the emulator over real HTTP.
//!
//! One control plane for this test process; each test has its own namespace, emulator and operator, so all run at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod adoption;
mod adoption_matrix;
mod conflict;
mod deletion;
mod harness;
mod invalid;
mod main_path;
mod replaced;
mod suspend;
mod updates;
