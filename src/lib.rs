//! Keeps Unkey identities equal to `Identity` resources in a Kubernetes cluster.
//!
//! Data flows one way: watch → gather → decide (pure) → perform (IO) → status. [`api`] is what users write, [`domain`]
//! decides without IO, `unkey` talks to Unkey, `controller` is the only place that talks to both worlds, `app` puts
//! them together.

pub mod api;
pub mod domain;
