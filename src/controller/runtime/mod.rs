//! What serves a custom resource of any kind: it is watched, queued, permitted to go on, read and written. The runtime knows no kind; what it has
//! to know of one is [`Kind`], and what is done with its objects is [`Reconciler`].
//!
//! | module | does |
//! |---|---|
//! | `kind` / `reconciler` | what a kind has to tell of itself, and what is done with its objects |
//! | `shared` | what the queue and the reconciles of one kind share |
//! | `scope` | where to watch |
//! | `watch` / `merge` | one flat stream of changes out of one or more watches |
//! | `coverage` | which of the watched namespaces are known, and which watches stand |
//! | `event_handler` | takes changes into the store, and says what is to be reconciled |
//! | `queue` | runs reconciles, and what becomes of one that fails |
//! | `dispatcher` | who may go on: workers, lanes and the budget of calls |
//! | `api_server` | ONE request to Kubernetes |
//! | `answer` | what the API server's answer to a write means |
//! | `patch` | what each patch tests |
//! | `events` | events, and which of them are one series |
//! | `clock` | time since this process acts, and whether it stood still |

pub mod answer;
pub mod api_server;
pub mod clock;
pub mod coverage;
pub mod dispatcher;
pub mod event_handler;
pub mod events;
mod kind;
pub mod merge;
pub mod patch;
pub mod queue;
mod reconciler;
pub mod scope;
mod shared;
pub mod watch;

pub use kind::Kind;
pub use reconciler::{History, Reconciler};
pub use shared::Runtime;
