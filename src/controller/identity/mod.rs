//! The resource `Identity`.
//!
//! | module | does |
//! |---|---|
//! | `raw` | the watch type: an object of which nothing but metadata is parsed |
//! | `definition` | whether the cluster's definition knows all fields of this version |
//! | `reconciler` | an `Identity` as the runtime sees it |
//! | `index` | claims, locks and knowledge by externalId; memory by uid |
//! | `context` / `run` | what all reconciles share; the queue that runs them |
//! | `reconcile` | performs one session over one object |
//! | `environment` | the world around a session, as this process knows it |
//! | `overdue` | says in a status that its work waits |
//! | `left_behind` | tells of identities that stay in Unkey by somebody's hand |
//! | `orphan_cleanup` | clears up after objects that went in the middle of a create |
//! | `unmanage` | takes the finalizers off all Identities without asking Unkey, before the operator is removed |
//! | `patch` / `status` / `events` | what is written to Kubernetes |

pub mod approvals;
pub mod context;
pub mod definition;
mod environment;
mod events;
pub mod index;
mod left_behind;
mod orphan_cleanup;
mod overdue;
mod patch;
pub mod raw;
mod reconcile;
mod reconciler;
pub mod run;
pub mod status;
pub mod unmanage;
mod vanished_limits;
