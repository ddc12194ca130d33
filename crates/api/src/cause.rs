//! The closed set of causes: what a reason that stands for several things means. Programs rely on these words, the operator itself too:
//! messages are for people and may change at any time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an `Identity` is not ready, where the reason of its conditions stands for several causes: `Progressing` and `NotConverging`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusCause {
    /// `Progressing`: the identity is recorded, an update is about to be sent.
    Updating,
    /// `Progressing`: the outcome of a request to Unkey is not known; a read after the consistency window tells.
    Settling,
    /// `Progressing`: Unkey says that the identity exists and does not show it yet.
    Lag,
    /// `Progressing`: Unkey shows no such identity; a second read confirms that before it is made again.
    Vanished,
    /// `Progressing`: another Identity owns the externalId and has to settle first.
    OwnerPending,
    /// `Progressing`: a namespace cannot be watched, so that not every Identity is known that could own the externalId.
    Unseen,
    /// `Progressing`: the definition in the cluster is older than the operator.
    Outdated,
    /// `Progressing`: the definition in the cluster cannot be read.
    DefinitionUnread,
    /// `Progressing`: the work waits for its turn.
    Queued,
    /// `NotConverging`: another client of Unkey writes something else again and again.
    Contested,
    /// `NotConverging`: Unkey answers this content with an internal error each time.
    Broken,
    /// `NotConverging`: another tool removes the operator's finalizer or claim again and again.
    Stripped,
}
