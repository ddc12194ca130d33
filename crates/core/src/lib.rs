//! Decides. Pure: no Kubernetes client, no HTTP, no clock, no randomness, no async.
//!
//! A reconcile over an object is a loop: [`decide()`] looks at a [`Situation`] and names ONE request, the controller performs
//! it, [`apply_reply()`] takes the answer into [`Knowledge`] and [`ObjectState`], and `decide` is asked again. Each step is one
//! request and so one crash point, which is what lets tests and the model checker enumerate them all (see
//! docs/adr/0001). Rule numbers (R1…) in comments are those of docs/rules.md.

mod apply_reply;
pub mod backoff;
mod claim;
mod claims;
mod content;
mod crd;
mod decide;
mod desired;
pub mod drift_scan;
mod fields;
mod fight;
mod frozen;
mod ids;
mod knowledge;
mod losses;
mod message;
mod note;
mod object;
mod object_state;
mod ownership;
mod permission;
mod progress;
mod refusal;
mod report;
pub mod session;
mod situation;
mod sync_object;
mod takeover;
mod verdict;
mod witness;
mod workspace;

pub use apply_reply::{Effect, Fault, Reply, ReplyContext, apply_reply, begin, begin_reconcile};
pub use claim::{Claim, ClaimState};
pub use claims::{Claims, Entry as ClaimEntry, Forgets, Source, Taken};
pub use content::{Applied, Content, ContentHash, FieldHash, Limit, Limits, Meta};
pub use crd::{Crd, CrdMemory, CrdSight};
pub use decide::{decide, overdue};
pub use desired::{Desired, MAX_DEPTH, MAX_KEY_BYTES, MAX_META_BYTES, Spec, SpecError, depth};
pub use fields::{Field, Fields};
pub use fight::CorrectionLimit;
pub use ids::{Confirmed, ExternalId, IdentityId, Mono, ObjectKey, Uid};
pub use knowledge::{Evidence, InFlight, Knowledge, LastWrite, Seen, UncertainFields, UnknownOutcome, Write};
pub use losses::{Losses, lossless};
pub use note::EventNote;
pub use object::{Controls, Crowd, Guard, Object, Phase, ReconcileRequest};
pub use object_state::{FailureState, ObjectState, Unfound};
pub use ownership::{Claimant, Role, owner, role};
pub use permission::Operation;
pub use progress::Progress;
pub use refusal::{
    KubeWrite, MAX_ANNOTATION_BYTES, Refusal, Refusals, Refused, Stripped, Stripper, accepted, concluded,
    definition_changed, is_refusal, managers_seen, put_on, refused, told,
};
pub use report::{OwnedIdentity, PriorStatus, Record, Shown, StatusUpdate};
pub use situation::{
    Call, KubeStep, LOOK_MS, OwnershipGate, Patch, Policy, Purpose, ReleaseProof, Settled, Situation, Step, Wake,
};
pub use sync_object::{
    LeftBehind, claimed, claiming, ended, left_behind, not_claimed, not_released, released, releasing, rewound,
    sync_object,
};
pub use takeover::begins as begins_takeover;
pub use verdict::{Cause, Left, Stall, Verdict};
pub use witness::{Testimony, Witness};
pub use workspace::{CANARIES, Gate, KeyMark, Look, Workspace, proven_by};

#[cfg(test)]
mod tests;
