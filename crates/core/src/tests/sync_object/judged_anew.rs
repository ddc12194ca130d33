//! R13: what Unkey refused is judged anew under another root key, once for each.

use super::*;

/// It was last reconciled under another key than the one in use.
fn stalled(stall: Stall) -> Scene {
    let before = Some(Some("another".to_owned()));
    Scene::recorded(Verdict::Stalled(stall)).met().with(|scene| scene.object_state.credential = before)
}

#[test]
fn r13_what_unkey_refused_is_judged_anew_under_another_key() {
    let other_key: Change = |_| ();
    let no_key: Change = |scene| scene.object_state.credential = Some(None);
    for stall in [Stall::Rejected("no".to_owned()), Stall::ExistsNever, Stall::IdentityMismatch] {
        for before in [other_key, no_key] {
            let mut scene = stalled(stall.clone()).with(before).look();
            let reason = scene.record().shown.reason;
            assert_eq!((reason.is_some(), scene.object_state.rejudge), (true, reason), "{stall:?}");
            scene = scene.look();
            assert!(scene.object_state.rejudge.is_some(), "while the status shows it");
            assert_eq!(scene.clone().with(synced).look().object_state.rejudge, None, "answered");
            let taken_away = scene.with(|scene| scene.object.recorded = PriorStatus::Nothing);
            assert_eq!(taken_away.look().object_state.rejudge, None, "nothing is left to be judged");
        }
    }
    let stays: [(&str, Change); 4] = [
        ("the same key", |scene| scene.object_state.credential = Some(scene.policy.credential.clone())),
        ("a restart is no other key", |scene| scene.object_state.credential = None),
        ("without a key nothing can be asked", |scene| scene.policy.credential = None),
        ("no stall", |scene| scene.record().shown.stalled = false),
    ];
    for (what, change) in stays {
        let scene = stalled(Stall::ExistsNever).with(change).look();
        assert_eq!(scene.object_state.rejudge, None, "{what}");
    }
}

#[test]
fn r13_only_what_was_unkeys_word_is_judged_anew() {
    for reason in Reason::ALL {
        let scene = stalled(Stall::ExistsNever).with(|scene| scene.record().shown.reason = Some(reason)).look();
        let unkeys =
            [Reason::Rejected, Reason::AlreadyExists, Reason::IdentityMismatch, Reason::WouldLose].contains(&reason);
        assert_eq!(scene.object_state.rejudge.is_some(), unkeys, "{reason}");
    }
}

#[test]
fn r13_it_is_judged_anew_once_for_each_key() {
    let first = stalled(Stall::ExistsNever).look();
    assert!(first.object_state.rejudge.is_some());
    let judged = first.with(|scene| scene.object_state.rejudge = None).look();
    assert_eq!(judged.object_state.rejudge, None);
    let again = judged.with(|scene| scene.policy.credential = Some("a third".to_owned())).look();
    assert!(again.object_state.rejudge.is_some());
}
