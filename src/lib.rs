//! Keeps Unkey identities equal to `Identity` resources in a Kubernetes cluster.
//!
//! Data flows one way: watch → gather → decide (pure) → perform (IO) → status.
//!
//! | module | is |
//! |---|---|
//! | [`api`] | what users write and read: the resource. No IO |
//! | [`domain`] | decides. Pure: no client, no clock, no async |
//! | [`unkey`] | the client of the Unkey API. Knows no Kubernetes |
//! | [`controller`] | the only place that talks to both worlds |
//! | [`apiserver`] | how the API server of Kubernetes is reached. Knows no resource |
//! | [`transport`] | words for what goes wrong below HTTP. Pure |
//! | [`leader`] | of several operators, which one acts |
//! | [`admin`], [`telemetry`] | probes, metrics, logs |
//! | `text` | makes servers' text fit for people |
//! | [`app`], [`cli`] | puts them together; the command line |
//!
//! Dependencies point one way, `api` ← `domain` ← `controller` → `unkey`; a test enforces it.

pub mod admin;
pub mod api;
pub mod apiserver;
pub mod app;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod leader;
pub mod telemetry;
mod text;
pub mod transport;
pub mod unkey;
