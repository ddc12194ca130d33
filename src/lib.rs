//! Keeps Unkey identities equal to `Identity` resources in a Kubernetes cluster.
//!
//! Data flows one way: watch → gather → decide (pure) → perform (IO) → status.
//!
//! | module | is |
//! |---|---|
//! | [`api`] (`crates/api`) | what users write and read: the resource. No IO |
//! | [`domain`] (`crates/core`) | decides. Pure: no client, no clock, no async |
//! | [`unkey`] (`crates/unkey`) | the client of the Unkey API. Knows no Kubernetes |
//! | [`controller`] | the only place that talks to both worlds |
//! | [`apiserver`] | how the API server of Kubernetes is reached. Knows no resource |
//! | [`gather`] | what the commands for people read |
//! | [`check`] | whether the operator can work, or why not, as a table and as JSON |
//! | [`plan`] | what the operator would do, as a table and as JSON |
//! | [`import`] | what Unkey holds, as manifests |
//! | [`inspect`] | what the everyday commands say of resources and identities |
//! | [`leader`] | of several operators, which one acts |
//! | [`admin`], [`telemetry`] | probes, metrics, logs |
//! | `unkey_text` (`crates/text`) | makes servers' text fit for people, and has words for what goes wrong below HTTP. Pure |
//! | [`app`], [`cli`] | puts them together; the command line |
//!
//! Dependencies point one way, `api` ← `core` ← `controller` → `unkey`: the compiler enforces it between crates, a test between the modules here.

pub mod admin;
pub mod apiserver;
pub mod app;
pub mod check;
pub mod cli;
pub mod controller;
pub mod gather;
pub mod import;
pub mod inspect;
pub mod leader;
pub mod plan;
pub mod telemetry;

pub use unkey;
pub use unkey_operator_api as api;
pub use unkey_operator_core as domain;
use unkey_text as text;
pub use unkey_text::transport;
