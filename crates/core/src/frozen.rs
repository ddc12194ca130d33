//! What statuses of 0.1 mean that do not name their cause: by the messages that 0.1 wrote. These strings never change, whatever messages say
//! today. To be removed with the first version that need not read a status of 0.1 (docs/operations/upgrade.md).

use super::shown::Shown;
use unkey_operator_api::{Reason, StatusCause};

const SETTLING: &str =
    "A request to Unkey went unanswered and may still take effect; a read after the consistency window will tell.";
const BROKEN: &str = "Unkey answers this request with an internal error each time, while it answers others: something in this content breaks it. \
     Change the spec or ask Unkey's support; until then this is tried once an hour.";
const CONTESTED: &str = "What this spec asks for was sent to Unkey three times and found changed again each time: another client, or an \
     operator in another cluster, writes something else. Find it and agree on one owner; until then this is tried once an hour.";

/// The cause of a status of 0.1, if a decision depends on it.
pub fn cause(shown: &Shown) -> Option<StatusCause> {
    let known = [
        (Reason::Progressing, SETTLING, StatusCause::Settling),
        (Reason::NotConverging, BROKEN, StatusCause::Broken),
        (Reason::NotConverging, CONTESTED, StatusCause::Contested),
    ];
    known.into_iter().find(|(reason, text, _)| shown.reason == Some(*reason) && shown.message == *text).map(|it| it.2)
}
