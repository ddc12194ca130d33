//! The closed set of causes: what a reason that stands for several things means. Programs rely on these words, the operator itself too:
//! messages are for people and may change at any time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an `Identity` is not ready, where the reason of its conditions has several causes: `Progressing`, `DeletionHeld`, `NotConverging` and `WouldRefuse`; of
/// `DeletionBlocked` for one of them alone.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusCause {
    /// `Progressing`: the identity is recorded, an update is about to be sent.
    Updating,
    /// `Progressing`: the outcome of the last request to Unkey is unknown; a read after the consistency window verifies it.
    Settling,
    /// `Progressing`: Unkey reports that the identity exists but does not return it yet.
    Lag,
    /// `Progressing`: Unkey no longer returns the identity; a second read confirms that before the identity is created again.
    Vanished,
    /// `Progressing`: another Identity owns the externalId and is still being reconciled.
    OwnerPending,
    /// `Progressing`: a namespace cannot be watched, so the owner of the externalId is not known.
    Unseen,
    /// `Progressing`: the definition in the cluster is older than the operator.
    Outdated,
    /// `DeletionBlocked`: the definition in the cluster cannot be read, so the operator cannot tell whether it is being removed.
    DefinitionUnread,
    /// `Progressing`: the work waits in the queue.
    Queued,
    /// `Progressing`: the deletion waits for the configured hold.
    DeletionDelayed,
    /// `Progressing`: the resource is observed from now on; the operator gives up its finalizer and claim, then reads the identity.
    Observing,
    /// `DeletionHeld`: the annotation that approves the deletion names a time that has passed.
    ApprovalPast,
    /// `DeletionHeld`: the annotation that approves the deletion is neither a time nor `always`.
    ApprovalUnreadable,
    /// `NotConverging`: another client of Unkey overwrites the identity again and again.
    Contested,
    /// `NotConverging`: Unkey answers this content with an internal error each time.
    Broken,
    /// `NotConverging`: another tool removes the operator's finalizer or claim again and again.
    Stripped,
    /// `WouldRefuse`: the operator would report `InvalidSpec`.
    InvalidSpec,
    /// `WouldRefuse`: the operator would report `AlreadyExists`.
    AlreadyExists,
    /// `WouldRefuse`: the operator would report `WouldLose`.
    WouldLose,
    /// `WouldRefuse`: the operator would report `IdentityMismatch`.
    IdentityMismatch,
    /// `WouldRefuse`: the operator would report `ExternalIdConflict`.
    ExternalIdConflict,
}
