//! The operator as a process against a real etcd and kube-apiserver and the emulator over real HTTP.
//!
//! One control plane for this test process; each test has its own namespace, emulator and operator, so all run at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod absence;
mod admin;
mod adoption;
mod adoption_matrix;
mod alerts;
mod api_server;
mod budget;
mod conditions;
mod conflict;
mod crash;
mod crd;
mod credentials;
mod deletion;
mod dropped;
mod edited;
mod events;
mod examples;
mod failures;
mod fencing;
mod fights;
mod forbidden;
mod gitops;
mod harness;
mod hostile;
mod invalid;
mod kube_faults;
mod kubectl;
mod late;
mod leader;
mod left_behind;
mod logs;
mod main_path;
mod managing;
mod manifests;
mod permissions;
mod refused;
mod release;
mod replaced;
mod restored;
mod scan;
mod scan_faults;
mod scan_others;
mod secrecy;
mod shards;
mod shutdown;
mod stripped;
mod suspend;
mod two_operators;
mod updates;
mod workspace;
