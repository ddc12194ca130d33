//! Where Kubernetes and Unkey meet: watches, performs the steps that a [`Session`](crate::domain::session::Session) asks for, writes status. It
//! decides nothing itself: every `if` about what to do upstream belongs into `domain`.
//!
//! | module | is |
//! |---|---|
//! | `runtime` | watch, queue, permits, patches and events, for a custom resource of any kind |
//! | `identity` | the resource `Identity`: what is known of all objects, and the reconcile of one |
//! | `workspace` | ONE root key of Unkey: its client, and what is asked beside the queue |

mod identity;
pub mod runtime;
#[cfg(test)]
mod testing;
mod workspace;

pub use crate::domain::CrdSight;
pub use identity::approvals::Approvals;
pub use identity::context::{Context, Settings};
pub use identity::definition::difference as definition_difference;
pub use identity::raw::{RawIdentity, ReconcileRequests};
pub use identity::run::{reconcile_once, run};
pub use identity::status::render as render_status;
pub use identity::unmanage::{ReleaseError, Released, StopError, SurveyError, UnmanagePlan};
pub use runtime::api_server::{KubeError, within as within_deadline};
pub use runtime::clock::{Clock, WallClocks};
pub use runtime::event_handler::EventHandler;
pub use runtime::merge::Change;
pub use runtime::queue::RunError;
pub use runtime::scope::Scope;
pub use workspace::upstream::content as content_of;
pub use workspace::witness::run as look_for_witnesses;

/// What an uncached read shows of the CustomResourceDefinition of `Identity`.
///
/// # Errors
/// The API server does not answer, or answers what proves nothing.
pub async fn definition_sight(client: &kube::Client) -> Result<CrdSight, KubeError> {
    runtime::api_server::crd::<RawIdentity>(client).await
}
