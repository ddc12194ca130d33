//! Decides. Pure: no Kubernetes client, no HTTP, no clock, no randomness, no async.
//!
//! A reconcile over an object is a loop: [`decide()`] looks at a [`Situation`] and names ONE request, the controller performs
//! it, [`apply_reply()`] takes the answer into [`Knowledge`] and [`ObjectState`], and `decide` is asked again. Each step is one
//! request and so one crash point, which is what lets tests and the model checker enumerate them all (see
//! docs/adr/0001). Rule numbers (R1…) in comments are those of docs/contributing/rules.md.

mod apply_reply;
pub mod backoff;
mod call;
mod cause;
mod claim;
mod claims;
mod content;
mod correction_limit;
mod crd;
mod decide;
mod deletions;
mod desired;
pub mod drift_scan;
mod fields;
mod fight;
mod frozen;
mod ids;
mod knowledge;
mod layers;
mod losses;
mod message;
mod note;
mod object;
mod object_state;
mod observation;
mod own_patches;
mod ownership;
mod permission;
pub mod plan;
mod policy;
mod prior_status;
mod progress;
mod refusal;
mod release_proof;
mod reply;
pub mod session;
mod shown;
mod situation;
mod spec;
mod status_update;
mod step;
mod stripped;
mod sync_object;
mod takeover;
mod vanished;
mod verdict;
mod witness;
mod workspace;
mod writes;

pub use apply_reply::{apply_reply, begin, begin_reconcile};
pub use call::{Call, Patch, Purpose};
pub use cause::{Cause, Left};
pub use claim::{Claim, ClaimState, MAX_ANNOTATION_BYTES};
pub use claims::{Claims, Entry as ClaimEntry, Forgets, Source, Taken};
pub use content::{Applied, Content, ContentHash, FieldHash, Limit, Limits, Meta};
pub use correction_limit::CorrectionLimit;
pub use crd::{Crd, CrdMemory, CrdSight};
pub use decide::{decide, overdue, waits_for_brake_alone};
pub use deletions::{Approval, Counts as DeletionCounts, DeletionGate, DeletionLimits, Deletions, Episode, Share};
pub use desired::{Desired, MAX_DEPTH, MAX_KEY_BYTES, MAX_META_BYTES, SpecError};
pub use fields::{Field, Fields};
pub use ids::{Confirmed, ExternalId, IdentityId, KeyMark, Mono, ObjectKey, Revision, Uid};
pub use knowledge::{Knowledge, Seen};
pub use layers::Layer;
pub use losses::{Losses, lossless};
pub use note::EventNote;
pub use object::{Crowd, Guard, Object, Phase, ReconcileRequest};
pub use object_state::{FailureState, ObjectState, StatesAtRest, Unfound};
pub use observation::{Found, Observation, Outlook, Refusal as ObservedRefusal};
pub use own_patches::{claimed, claiming, not_claimed, not_released, released, releasing};
pub use ownership::{Claimant, Role, owner, role};
pub use permission::Operation;
pub use policy::{LOOK, Policy};
pub use prior_status::{OwnedIdentity, PriorStatus, Record};
pub use progress::Progress;
pub use refusal::{
    KubeWrite, Refusal, Refusals, Refused, accepted, concluded, definition_changed, is_refusal, managers_seen, put_on,
    refused, told,
};
pub use release_proof::{ReleaseProof, Settled};
pub use reply::{Effect, Fault, Reply, ReplyContext};
pub use shown::Shown;
pub use situation::{OwnershipGate, Situation};
pub use spec::{Controls, ObservedBy, Spec, depth};
pub use status_update::StatusUpdate;
pub use step::{KubeStep, Step, Wake};
pub use stripped::{Stripped, Stripper};
pub use sync_object::{LeftBehind, ended, left_behind, rewound, sync_object};
pub use vanished::VanishedLimits;
pub use verdict::{HeldDeletion, Stall, Verdict};
pub use witness::{Testimony, Witness};
pub use workspace::{Gate, Look, PROBES, Workspace, proven_by};
pub use writes::{Evidence, InFlight, LastWrite, UncertainFields, UnknownOutcome, Write};

#[cfg(test)]
mod tests;
