//! R15: which keys are known to lead to the same workspace.

use super::any::customer;
use super::steps::{confirmed, ready};
use super::{
    Call, Cause, Content, Duration, Gate, KeyMark, Look, Mono, Patch, Purpose, Reply, Workspace, ms, proven_by,
};

const WINDOW: Duration = ms(30_000);

#[allow(clippy::unnecessary_wraps)] // a mark is one, known or not
fn mark(text: &str) -> KeyMark {
    Some(text.to_owned())
}

/// Objects recorded under `marks`; the key in use is "new".
fn with(marks: &[&str]) -> Workspace {
    let mut workspace = Workspace::new(mark("old"), false);
    for name in marks {
        workspace.recorded(&mark(name));
    }
    workspace.key_changed(mark("new"), Mono(1_000));
    workspace
}

fn late() -> Look {
    Look::Missed { begun: Mono(1_000).after(WINDOW) }
}

#[test]
fn under_the_key_it_was_recorded_with_nothing_is_asked() {
    let mut workspace = Workspace::new(mark("old"), false);
    workspace.recorded(&mark("old"));
    assert_eq!(workspace.gate(Some(&mark("old"))), Gate::Open);
    assert_eq!(workspace.gate(None), Gate::Open);
    assert!(workspace.unproven().is_empty());
}

#[test]
fn under_another_one_hit_opens_for_all_and_a_late_miss_shuts() {
    for (look, after) in [(Look::Hit, Gate::Open), (late(), Gate::Wrong)] {
        let mut workspace = with(&["old", "old"]);
        assert_eq!(workspace.gate(Some(&mark("old"))), Gate::Unproven { cause: None });
        assert_eq!(workspace.gate(None), Gate::Unproven { cause: None });
        assert_eq!(workspace.unproven(), [mark("old")]);
        assert!(workspace.looked(&mark("new"), &mark("old"), &look, WINDOW));
        assert!(!workspace.looked(&mark("new"), &mark("old"), &look, WINDOW), "nothing new");
        assert_eq!(workspace.gate(Some(&mark("old"))), after);
        assert_eq!(workspace.gate(None), after);
        assert!(workspace.unproven().is_empty());
    }
}

#[test]
fn a_key_counts_until_the_last_of_its_ids_is_gone() {
    let mut workspace = with(&["old", "old"]);
    workspace.dropped(&mark("old"));
    assert_eq!(workspace.gate(None), Gate::Unproven { cause: None });
    assert_eq!(workspace.unproven(), [mark("old")]);
    workspace.dropped(&mark("old"));
    assert_eq!(workspace.gate(None), Gate::Open, "nothing is recorded any more");
    assert!(workspace.unproven().is_empty());
}

#[test]
fn a_miss_before_the_window_is_over_says_nothing() {
    let mut workspace = with(&["old"]);
    let early = Look::Missed { begun: Mono(999).after(WINDOW) };
    assert!(!workspace.looked(&mark("new"), &mark("old"), &early, WINDOW));
    assert_eq!(workspace.gate(None), Gate::Unproven { cause: None });
}

#[test]
fn what_was_missed_opens_when_it_is_found_after_all_and_what_was_found_stays() {
    let mut workspace = with(&["old"]);
    workspace.looked(&mark("new"), &mark("old"), &late(), WINDOW);
    assert!(workspace.looked(&mark("new"), &mark("old"), &Look::Hit, WINDOW));
    assert!(!workspace.looked(&mark("new"), &mark("old"), &late(), WINDOW));
    assert_eq!(workspace.gate(None), Gate::Open);
}

#[test]
fn a_look_that_fails_names_why() {
    let mut workspace = with(&["old"]);
    assert!(workspace.looked(&mark("new"), &mark("old"), &Look::Failed(Cause::Unavailable), WINDOW));
    assert_eq!(workspace.gate(None), Gate::Unproven { cause: Some(Cause::Unavailable) });
    assert_eq!(workspace.unproven(), [mark("old")], "it is looked for again");
}

#[test]
fn a_look_with_a_key_no_longer_in_use_or_for_what_is_gone_counts_nothing() {
    let mut workspace = with(&["old"]);
    assert!(!workspace.looked(&mark("old"), &mark("old"), &Look::Hit, WINDOW));
    assert!(!workspace.looked(&mark("new"), &mark("other"), &Look::Hit, WINDOW));
    workspace.dropped(&mark("old"));
    assert_eq!(workspace.gate(None), Gate::Open, "nothing is recorded any more");
}

#[test]
fn a_new_object_needs_one_known_way_and_an_old_one_its_own() {
    let mut workspace = with(&["old", "older"]);
    workspace.looked(&mark("new"), &mark("older"), &late(), WINDOW);
    assert!(matches!(workspace.gate(None), Gate::Unproven { .. }));
    workspace.looked(&mark("new"), &mark("old"), &Look::Hit, WINDOW);
    assert_eq!(workspace.gate(None), Gate::Open);
    assert_eq!(workspace.gate(Some(&mark("older"))), Gate::Wrong);
    // An id recorded under the key in use came about behind this gate.
    let mut workspace = with(&["old", "new"]);
    assert_eq!(workspace.gate(None), Gate::Open);
    assert_eq!(workspace.gate(Some(&None)), Gate::Unproven { cause: None }, "an older status does not say");
    workspace.key_changed(mark("third"), Mono(2_000));
    assert!(matches!(workspace.gate(None), Gate::Unproven { .. }));
}

#[test]
fn the_user_may_mean_it() {
    let mut workspace = Workspace::new(mark("new"), true);
    workspace.recorded(&mark("old"));
    assert_eq!(workspace.gate(Some(&mark("old"))), Gate::Open);
    assert!(workspace.unproven().is_empty());
}

/// Only the recorded id itself, found, written to or deleted: another one may stand in any workspace.
#[test]
fn what_an_answer_proves() {
    let object = ready().object;
    let key = || mark("key");
    let found = |id: &str| {
        let (external_id, id) = (customer().as_str().to_owned(), id.to_owned());
        (Call::Read(customer()), Reply::Found { external_id, id, content: Content::default() })
    };
    let updated = |id: &str| {
        let (external_id, id) = (customer().as_str().to_owned(), id.to_owned());
        let patch = Patch { meta: None, limits: None };
        (Call::Update { to: confirmed("id_1"), patch, purpose: Purpose::Spec }, Reply::Updated { external_id, id })
    };
    let deleted = |id: &str| (Call::Delete(confirmed(id)), Reply::Deleted);
    for ((call, reply), proves) in [
        (found("id_1"), true),
        (found("id_2"), false),
        (deleted("id_1"), true),
        (deleted("id_2"), false),
        (updated("id_1"), true),
        (updated("id_2"), false),
        ((Call::Delete(confirmed("id_1")), Reply::Absent), false),
        ((Call::Read(customer()), Reply::Absent), false),
    ] {
        assert_eq!(proven_by(&object, &call, &reply), proves.then(key).as_ref(), "{call:?} {reply:?}");
    }
}
