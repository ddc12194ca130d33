//! The decisions of `domain`, driven as the controller drives them, against a model of one Kubernetes object and one
//! Unkey identity: scenes with exact step sequences, and properties over random faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a test says what it expects by failing

mod adopting;
mod cut;
mod deleting;
mod fights;
mod guards;
mod histories;
mod listed;
mod lost;
mod managing;
mod masses;
mod observing;
mod outage;
mod quiet;
mod refused;
mod replaced;
mod restored;
mod sim;
mod steady;
mod stored;
mod syncing;
mod world;
