//! The texts of events.

use std::collections::BTreeSet;

use unkey_text::printable;

use super::deletions::too_many;
use crate::ids::ExternalId;
use crate::note::EventNote;
use crate::vanished::VanishedLimits;

/// Characters that are kept of the name of a rate limit.
const MAX_NAME: usize = 128;

pub(super) fn text_of_note(note: &EventNote) -> String {
    match note {
        EventNote::Adopted(id) => format!("Adopted the existing identity {id}."),
        EventNote::Recreated(id) => format!(
            "The identity vanished from Unkey; created it again as {id}. Keys of the old identity are not linked to the new one."
        ),
        EventNote::Replaced(id) => {
            format!("Unkey holds another identity, {id}, under this externalId; adopted that identity.")
        }
        EventNote::DriftCorrected(id) => format!("Identity {id} differed from the spec; corrected it."),
        EventNote::Released { field } => {
            let empty = if *field == "meta" { "{}" } else { "[]" };
            format!(
                "{field} left the spec and is no longer managed; Unkey keeps its value. To clear the value, set {field}: {empty} \
                 and adoptionPolicy: Always."
            )
        }
        EventNote::Orphaned(external_id) => {
            format!("The identity '{}' stays in Unkey.", external_id.as_ref().map_or("?", ExternalId::as_str))
        }
        EventNote::LimitRemoved(vanished) => limit_removed(vanished),
        EventNote::MassDeletionHeld { namespace, episode } => format!(
            "{}. The deletions of this namespace wait for an approval; their conditions tell how to give it.",
            too_many(episode, namespace)
        ),
    }
}

fn limit_removed(VanishedLimits { removed, unapplied }: &VanishedLimits) -> String {
    let named = |names: &BTreeSet<String>| {
        let names: Vec<String> = names.iter().map(|name| format!("'{}'", printable(name, MAX_NAME))).collect();
        names.join(", ")
    };
    let removed = if removed.is_empty() {
        String::new()
    } else {
        format!(
            "This edit removed rate limits from the identity: {}. Unkey answers a key verification that names one of them with HTTP 412, unless the key has \
             it. ",
            named(removed)
        )
    };
    let unapplied = if unapplied.is_empty() {
        String::new()
    } else {
        format!(
            "This edit turned autoApply off for rate limits: {}. They no longer limit key verifications that do not name them.",
            named(unapplied)
        )
    };
    format!("{removed}{unapplied}").trim_end().to_owned()
}
