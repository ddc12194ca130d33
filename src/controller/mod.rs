//! Where Kubernetes and Unkey meet: watches, performs the steps that a [`Session`](crate::domain::session::Session) asks for, writes status. It
//! decides nothing itself: every `if` about what to do upstream belongs into `domain`.
//!
//! | module | does |
//! |---|---|
//! | [`snapshot`](self) | the watch type: an object of which nothing but metadata is parsed |
//! | `coverage` | which of the watched namespaces are known, and which watches stand |
//! | `definition` | whether the cluster's definition knows all fields of this version |
//! | `watch` / `merge` | one flat stream of changes out of one or more watches |
//! | `event_handler` | takes these into store and index, and says what is to be looked at |
//! | `index` | claims, turns and knowledge by externalId; memory by uid |
//! | `context` / `run` | what all passes share; the queue that runs them |
//! | `reconcile` | performs one session over one object |
//! | `drift_scan` | lists the workspace beside the queue, and has looked at what differs |
//! | `dispatcher` | who may go on: workers, lanes and the budget of calls |
//! | `pinned_client` | the root key and the policies, as one session sees them |
//! | `workspace_probe` | looks whether another root key leads to the same workspace |
//! | `overdue` | says in a status that its work waits |
//! | `left_behind` | tells of identities that stay in Unkey by somebody's hand |
//! | `witness` | looks whether the root key shows anything, before something rests on absence |
//! | `orphan_cleanup` | clears up after objects that went in the middle of a create |
//! | `release` | lets go of all Identities without Unkey, for who leaves |
//! | `kube` / `upstream` | ONE request to Kubernetes or to Unkey |
//! | `answer` | what the API server's answer to a write means |
//! | `patch` / `status` / `events` | what is written to Kubernetes |

mod answer;
mod clock;
mod context;
mod coverage;
mod definition;
mod dispatcher;
mod drift_scan;
mod event_handler;
mod events;
mod index;
mod kube;
mod left_behind;
mod merge;
mod orphan_cleanup;
mod overdue;
mod patch;
mod pinned_client;
mod reconcile;
mod release;
mod run;
mod snapshot;
mod status;
mod upstream;
mod watch;
mod witness;
mod workspace_probe;

pub use clock::{Clock, millis};
pub use context::{Context, Settings};
pub use event_handler::EventHandler;
pub use merge::Change;
pub use release::{ReleaseError, Released, StopError, SurveyError, UnmanagePlan};
pub use run::{RunError, run, visit};
pub use snapshot::RawIdentity;
pub use status::render as render_status;
pub use watch::Scope;
pub use witness::run as look_for_witnesses;
