//! `docs/reference/events.md`: what the operator publishes about an `Identity`.

use std::collections::BTreeMap;

use unkey_operator::api::{EventReason, Reason};

use super::super::golden::wrapped;
use super::super::messages::examples;
use super::{doc_comments, head, heading, paragraph};

pub fn page() -> String {
    let mut page = head(
        "Events",
        "Events of the API `events.k8s.io/v1` about an `Identity`: `kubectl events --for identity/NAME` shows them. An event tells only what the status cannot show. \
         Each is counted by `unkey_operator_events_total`. Equal events are published as one series.",
    );
    let about: BTreeMap<String, String> =
        doc_comments::variants("crates/api/src/reason.rs", "EventReason").into_iter().collect();
    let mut notes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, note) in examples::notes() {
        notes.entry(note.reason().as_str()).or_default().push(note.text());
    }
    for reason in EventReason::ALL {
        let word = reason.as_str();
        heading(&mut page, "##", &format!("`{word}`"));
        paragraph(&mut page, &about[word]);
        for text in notes.remove(word).unwrap_or_else(|| panic!("{word} has no example")) {
            page.push_str(&["\n```text\n", &wrapped(&text, ""), "```\n"].concat());
        }
    }
    let stalls: Vec<String> = Reason::ALL
        .into_iter()
        .filter(|reason| {
            let waits = matches!(reason, Reason::Synced | Reason::Suspended | Reason::DeletionHeld);
            !reason.is_retried() && !reason.is_observing() && !waits
        })
        .map(|reason| format!("`{reason}`"))
        .collect();
    page.push_str("\n## Warnings when `Stalled` begins\n");
    paragraph(
        &mut page,
        &format!(
            "When `Stalled` becomes True, a warning is published with the reason and the message of the condition: {}. \
             See [conditions and reasons](conditions-and-reasons.md).",
            stalls.join(", ")
        ),
    );
    page.push_str("\n## `WriteRefused`\n");
    paragraph(
        &mut page,
        "A warning. Kubernetes refuses the status of the resource, so the event says what the status would say, and why Kubernetes refuses it.",
    );
    page.push_str(&["\n```text\n", &wrapped(&examples::unwritten(), ""), "```\n"].concat());
    page
}
