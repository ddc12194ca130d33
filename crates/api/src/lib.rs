//! The custom resource as users write it and read it: types, schema rules, conditions and reasons.
//!
//! This is the only place that says what a manifest may hold. It does no IO and decides nothing: what a field leads
//! to is the business of `unkey-operator-core`.

#[cfg(feature = "kube")]
mod absence;
mod cause;
#[cfg(feature = "kube")]
mod crd;
#[cfg(feature = "kube")]
mod identity;
mod policies;
mod reason;
#[cfg(feature = "kube")]
mod served;
mod status;

#[cfg(feature = "kube")]
pub use absence::proves_absence;
pub use cause::StatusCause;
#[cfg(feature = "kube")]
pub use crd::{CRD_HEADER, CrdError, crd, crd_yaml};
#[cfg(feature = "kube")]
pub use identity::{Identity, IdentitySpec, RateLimit};
pub use policies::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
pub use reason::{EventReason, Reason};
#[cfg(feature = "kube")]
pub use served::{ServedDifference, difference, dropped_by_served, dropped_from};
pub use status::{AppliedHashes, ConditionType, IdentityStatus, Observed, Origin, StatusCondition};

/// API group of the resource.
pub const GROUP: &str = "unkey.com";
/// The served and stored version.
pub const VERSION: &str = "v1alpha1";
/// Kind of the resource.
pub const KIND: &str = "Identity";
/// Plural name of the resource; `identities.unkey.com` is its full name, since other APIs have `identities` too.
pub const PLURAL: &str = "identities";
/// Name of the CustomResourceDefinition.
pub const CRD_NAME: &str = "identities.unkey.com";
/// The finalizer that holds a deleted `Identity` back until its identity is gone from Unkey.
pub const FINALIZER: &str = "unkey.com/identity";
/// Annotation that records, before the first create or adoption, who is about to act and with what content.
pub const CLAIM_ANNOTATION: &str = "unkey.com/claim";
/// Annotation that approves an object's deletion: an RFC 3339 time until which it holds, or `always`.
pub const APPROVED_ANNOTATION: &str = "unkey.com/deletion-approved";
/// Annotation that asks for one check against Unkey now; echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_ANNOTATION: &str = "unkey.com/reconcile-requested-at";
/// Annotation that tells people why `spec.suspend` is true. The operator does not read it.
pub const SUSPEND_REASON_ANNOTATION: &str = "unkey.com/suspend-reason";
/// Annotation that tells people until when `spec.suspend` is meant to be true, RFC 3339. The operator does not read it, and resumes nothing.
pub const SUSPEND_UNTIL_ANNOTATION: &str = "unkey.com/suspend-until";
