//! `docs/reference/conditions-and-reasons.md`: each reason with its meaning, what to look at, and what to do.

use unkey_operator::api::{ConditionType, Reason};

use super::advice::ADVICE;
use super::{doc_comments, entry, head, heading, paragraph};

/// The doc comments of conditions and causes are written for two readers; a page needs no link to a type.
fn plain(text: &str) -> String {
    text.replace(['[', ']'], "")
}

pub fn page() -> String {
    let mut page = head(
        "Conditions and reasons",
        "The `status` of an `Identity` has up to three conditions of the operator. `reason` is one word that programs can rely on. `message` says what happened and what \
         to do; it may change at any time ([all messages](messages.md)). Conditions of other types belong to other tools.",
    );
    page.push_str("\n## Conditions\n\n");
    let conditions = doc_comments::variants("crates/api/src/status.rs", "ConditionType");
    for (name, about) in &conditions {
        entry(&mut page, &format!("`{name}`: {}", plain(about)));
    }
    let listed: Vec<&str> = conditions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, ConditionType::ALL.map(ConditionType::as_str));
    paragraph(
        &mut page,
        "`Ready` is present once an operator has worked on the Identity; `Stalled` and `Suspended` are present only while they are True.",
    );
    page.push_str("\n## Reasons\n");
    assert_eq!(ADVICE.each_ref().map(|(reason, _)| *reason), Reason::ALL);
    for (reason, advice) in &ADVICE {
        let reason = *reason;
        heading(&mut page, "###", &format!("`{reason}`"));
        let ready = if matches!(reason, Reason::Synced | Reason::Observed) { "True" } else { "False" };
        let retried = match reason {
            Reason::Synced => "nothing is left to do",
            Reason::Suspended => "waits for you",
            Reason::Observed | Reason::Differs | Reason::NotInUnkey | Reason::WouldRefuse => {
                "nothing is written; each scan looks again"
            }
            Reason::DeletionHeld => {
                "waits for an approval, or until other approvals or a larger limit bring what waits within the limit"
            }
            Reason::ExternalIdConflict => {
                "`Stalled=True`: waits for you; without `Stalled` while the owner is being deleted"
            }
            _ if reason.is_retried() => "retried automatically",
            _ => "`Stalled=True`: waits for you",
        };
        paragraph(&mut page, &format!("`Ready={ready}`; {retried}."));
        page.push('\n');
        entry(&mut page, &format!("**Meaning**: {}", advice.meaning));
        entry(&mut page, &format!("**Look at**: {}", advice.look_at));
        entry(&mut page, &format!("**Do**: {}", advice.remedy));
    }
    page.push_str("\n## Causes\n");
    paragraph(
        &mut page,
        "`Progressing`, `DeletionHeld`, `NotConverging` and `WouldRefuse` stand for several causes. `status.cause` names the one, in a word that programs can rely on. \
         Under `DeletionBlocked` it is set for one cause only.",
    );
    page.push('\n');
    for (name, about) in doc_comments::variants("crates/api/src/cause.rs", "StatusCause") {
        entry(&mut page, &format!("`{name}`: {about}"));
    }
    page
}
