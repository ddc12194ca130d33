//! R12, R13: what ends the rest of an object that is Ready or refused for good.

use super::*;

/// R12: each of these alone ends the rest of an object that is Ready.
#[test]
fn what_ends_the_rest_of_a_ready_object() {
    assert_eq!(step(&ready()), Step::Done);
    let changes: [(&str, Change); 13] = [
        ("never reported", |any| any.object.recorded = PriorStatus::Nothing),
        ("an edit", |any| any.object.generation = 2),
        ("a poke", |any| {
            any.object.reconcile_request = Some(ReconcileRequest { value: "p".to_owned(), since: Mono::ZERO });
        }),
        ("another policy", |any| any.object.controls.deletion = Some(DeletionPolicy::Orphan)),
        ("an id that nothing records", |any| {
            any.known.last = created("id_2");
        }),
        ("an update that nothing records", |any| any.known.last = updated("u", B)),
        ("a suspicion", |any| any.object_state.suspicion = true),
        ("a doubt", |any| any.known.doubt = Some(doubt())),
        ("an assumed doubt", |any| any.known.assumed = Some(doubt())),
        ("no id", |any| record(any).held = None),
        ("no finalizer", |any| any.object.finalizer = false),
        ("no claim", |any| any.object.claim = ClaimState::Absent),
        ("neither", |any| (any.object.finalizer, any.object.claim) = (false, ClaimState::Absent)),
    ];
    for (what, change) in changes {
        let mut any = ready();
        change(&mut any);
        assert_ne!(step(&any), Step::Done, "{what}");
    }
}

/// R12, R13: what Unkey refused for good is not tried again for these, and is for those.
#[test]
fn what_ends_the_rest_of_a_stalled_object() {
    let keeps: [(&str, Change); 4] = [
        ("nothing", |_| {}),
        ("a doubt waits for a person to act (S29)", |any| any.known.doubt = Some(doubt())),
        ("an absence that was seen", |any| {
            any.known.seen = Seen::Absent { first: Mono::ZERO, last: Mono::ZERO, of: None };
        }),
        ("no id", |any| {
            record(any).held = None;
            (any.object.finalizer, any.object.claim) = (false, ClaimState::Absent);
        }),
    ];
    for (what, change) in keeps {
        let mut any = rejected();
        change(&mut any);
        assert_eq!(step(&any), Step::Done, "{what}");
    }
    let ends: [(&str, Change); 9] = [
        ("an edit", |any| any.object.generation = 2),
        ("a suspicion", |any| any.object_state.suspicion = true),
        ("the owner of the externalId has gone", |any| record(any).shown.reason = Some(Reason::ExternalIdConflict)),
        ("the hour of a truce is over", |any| record(any).shown.reason = Some(Reason::NotConverging)),
        ("it does not stall", |any| record(any).shown.stalled = false),
        ("ours was seen", |any| {
            let (identity, content) = (confirmed("id_1"), Content { meta: meta(B), limits: Limits::default() });
            any.known.seen = Seen::Ours { begun: windows(9), identity, content };
        }),
        ("somebody else's was seen", |any| any.known.seen = Seen::Foreign { begun: windows(9) }),
        ("another root key", |any| any.object_state.rejudge = Some(Reason::Rejected)),
        ("no claim", |any| any.object.claim = ClaimState::Absent),
    ];
    for (what, change) in ends {
        let mut any = rejected();
        change(&mut any);
        assert_ne!(step(&any), Step::Done, "{what}");
    }
}
