//! R4: what is over because the object has been leaving for long, and what is not over for all that.

use super::*;

/// R4: what is long over by both clocks is in no doubt; the last millisecond counts.
#[test]
fn r4_of_what_is_leaving_for_long_nothing_is_in_doubt() {
    let leaving =
        |age| move |scene: &mut Scene| (scene.object.phase, scene.object.leaving_for) = (Phase::Deleting, Some(age));
    let long = ATTEMPT + WINDOW + ms(20_000);
    let blocked = || waiting(Cause::Unavailable);
    for scene in [Scene::claimed(), blocked()] {
        let over = scene.clone().with(leaving(long)).look();
        // A create may have been sent, and what it made is there to be seen: the first read says so.
        assert!(over.known.doubts_a_create() && over.known.settles_at(WINDOW) == Mono::ZERO);
        assert!(over.object_state.met_deleting, "an earlier process may have sent a delete");
        let young = scene.clone().with(leaving(long.saturating_sub(ms(1)))).look();
        assert!(young.known.doubts_a_create() && young.known.settles_at(WINDOW) > NOW);
        // An object that is not being deleted has no such age.
        let live = scene.with(|scene| scene.object.leaving_for = Some(long)).look();
        assert!(live.known.doubts_a_create() && live.known.settles_at(WINDOW) > NOW);
    }
}

/// What this process sent, read, or heard of another object is not over because of it.
#[test]
fn r4_what_this_process_knows_outlives_a_long_deletion() {
    let changes: [(&str, Change); 4] = [
        ("a write", |scene| scene.known.last = LastWrite::Exists { uid: uid("u") }),
        ("a doubt", |scene| scene.known.add_doubt(UnknownOutcome::new(NOW, false, Some(uid("other"))))),
        ("another object that was met", |scene| scene.known.evidence_begins(NOW)),
        ("another root key", |scene| scene.known.forget_reads(NOW)),
    ];
    for (what, change) in changes {
        let scene = Scene::claimed().with(change).with(|scene| {
            (scene.object.phase, scene.object.leaving_for) = (Phase::Deleting, Some(Duration::MAX));
        });
        let (before, after) = (scene.known.settles_at(WINDOW), scene.look().known.settles_at(WINDOW));
        assert!(before > Mono::ZERO && after == before, "{what}");
    }
}
