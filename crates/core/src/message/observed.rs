//! What a status says of an object that is only observed (R21).

use crate::observation::{Observation, Outlook, Refusal as ObservedRefusal};

/// So many paths of what differs are named in a message; the status names more.
const MAX_PATHS: usize = 10;

pub(super) fn observed(observation: &Observation, external_id: &str) -> String {
    let found = match &observation.outlook {
        Outlook::Nothing => "Unkey holds what the spec asks for.".to_owned(),
        Outlook::Update => format!("Unkey holds something else than the spec asks for: {}.", changes(observation)),
        Outlook::Create => format!("Unkey holds no identity '{external_id}'; the operator would create it."),
        Outlook::Refuse(refusal) => would_refuse(refusal, observation, external_id),
    };
    format!("{found} Nothing is written to Unkey while this resource is observed.")
}

fn changes(Observation { differs, more, removes, .. }: &Observation) -> String {
    let shown = differs.iter().take(MAX_PATHS);
    let mut parts: Vec<String> = shown.cloned().collect();
    let more = more + differs.len().saturating_sub(MAX_PATHS);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    if *removes {
        parts.push("values that the spec does not name, which would be removed".to_owned());
    }
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "its content".to_owned(),
    }
}

fn would_refuse(refusal: &ObservedRefusal, observation: &Observation, external_id: &str) -> String {
    let changes = || changes(observation);
    match refusal {
        ObservedRefusal::InvalidSpec(error) => {
            format!("The operator could not send this spec to Unkey (InvalidSpec): {error}. Change the spec.")
        }
        ObservedRefusal::ExistsNever => format!(
            "Unkey holds an identity '{external_id}', and the operator would not take it over (AlreadyExists): adoptionPolicy is Never. To \
             have it taken over, set adoptionPolicy to IfLossless or Always."
        ),
        ObservedRefusal::ExistsWouldLose => format!(
            "Unkey holds an identity '{external_id}', and the operator would not take it over (AlreadyExists): the spec differs in {}. Match \
             the spec to the identity, leave the field out, or set adoptionPolicy to Always.",
            changes()
        ),
        ObservedRefusal::WouldLose => format!(
            "The operator would not update the identity (WouldLose): the spec differs in {}. Match the spec to the identity, leave the field \
             out, or set adoptionPolicy to Always.",
            changes()
        ),
        ObservedRefusal::IdentityMismatch => format!(
            "Unkey returns an identity of another externalId when asked for '{external_id}', and the operator would not touch it \
             (IdentityMismatch). Choose another externalId, or delete that identity once its keys are moved."
        ),
        ObservedRefusal::Conflict => format!(
            "Another Identity in this cluster owns externalId '{external_id}', so the operator would do nothing for this one \
             (ExternalIdConflict). Delete one of the two."
        ),
    }
}
