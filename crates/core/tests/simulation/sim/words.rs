//! Wishes as users write them, and steps as tests name them.

use unkey_operator_core::{Call, Content, Desired, ReleaseProof, Spec};

use super::Wish;
use crate::world::{EXTERNAL_ID, external_id};

pub fn desired(wish: &Wish) -> Desired {
    Desired::new(external_id(), wish.meta.clone(), wish.limits.clone())
}

/// Meta and rate limits from the text of a spec, as users write them.
pub fn wish(spec: &str) -> Wish {
    let spec = Spec::read(&format!(r#"{{"externalId":"{EXTERNAL_ID}",{spec}}}"#));
    let desired = spec.desired.expect("a valid spec");
    Wish { meta: desired.meta, limits: desired.limits, controls: spec.controls, invalid: false }
}

pub fn content(spec: &str) -> Content {
    let wish = wish(spec);
    Content { meta: wish.meta.unwrap_or_default(), limits: wish.limits.unwrap_or_default() }
}

pub(super) fn name(call: &Call) -> &'static str {
    match call {
        Call::Read(_) => "Read",
        Call::Create(_) => "Create",
        Call::Update { .. } => "Update",
        Call::Delete(_) => "Delete",
    }
}

pub(super) fn freed(because: &ReleaseProof) -> &'static str {
    match because {
        ReleaseProof::NeverClaimed => "NeverClaimed",
        ReleaseProof::NeverSent => "NeverSent",
        ReleaseProof::Orphaned => "Orphaned",
        ReleaseProof::NotOurs => "NotOurs",
        ReleaseProof::NeverAdopted => "NeverAdopted",
        ReleaseProof::Observed => "Observed",
        ReleaseProof::Deleted(_) => "Deleted",
        ReleaseProof::Gone(_) => "Gone",
    }
}
