//! What other processes may have sent: the one before this one, and one at work beside it.

use super::*;

const SPREAD: Duration = ms(60_000);
const HOUR: Duration = ms(3_600_000);

#[test]
fn r4_the_first_sight_of_a_claim_or_an_id_is_evidence_and_a_later_one_is_not() {
    let unmarked = || ready().with(|scene| scene.object.claim = ClaimState::Absent);
    let here = || Scene::claimed().with(|scene| scene.object_state.claimed_here = true);
    for (what, scene, first) in
        [("nothing", Scene::new(), Mono::ZERO), ("id", unmarked(), NOW), ("claim", here(), NOW), ("both", ready(), NOW)]
    {
        assert_eq!(scene.clone().look().known.evidence_from, Evidence::Since(first), "{what}");
        assert_eq!(scene.met().look().known.evidence_from, Evidence::default(), "{what}, met before");
    }
    let later = ready().with(|scene| scene.known.evidence_from = Evidence::Since(NOW.after(ms(1)))).look();
    assert_eq!(later.known.evidence_from, Evidence::Since(NOW.after(ms(1))), "the latest counts");
}

#[test]
fn r4_a_claim_of_another_process_may_have_a_create_on_its_way_for_as_long_as_an_attempt_lasts() {
    let create = UnknownOutcome::new(NOW.after(ATTEMPT), false, Some(uid("u")));
    let met_unclaimed = Scene::claimed().with(|scene| scene.object_state.seen_before = true);
    for scene in [Scene::claimed(), met_unclaimed] {
        let mut scene = scene.look();
        assert_eq!(scene.known.assumed, Some(create.clone()));
        assert_eq!(scene.known.evidence_from, Evidence::Since(NOW.after(ATTEMPT)));
        // The same claim is no news, and neither is one that was off meanwhile.
        for mark in [scene.object.claim.clone(), ClaimState::Absent, scene.object.claim.clone()] {
            scene = scene.at(NOW.after(WINDOW)).with(|scene| scene.object.claim = mark).look();
            assert_eq!(scene.known.assumed, Some(create.clone()));
        }
    }
    let known_of: [(&str, Change); 4] = [
        ("no claim", |scene| scene.object.claim = ClaimState::Absent),
        ("another object's", |scene| scene.object.claim = ClaimState::Foreign),
        ("put on here", |scene| scene.object_state.claimed_here = true),
        ("met before", |scene| scene.object_state.claim_met = true),
    ];
    for (what, change) in known_of {
        assert_eq!(Scene::claimed().with(change).look().known.assumed, None, "{what}");
    }
    assert_eq!(ready().look().known.assumed, None, "its id is recorded");
}

/// S37.
#[test]
fn work_that_was_left_undone_may_have_a_write_on_its_way() {
    // Whoever sent it was gone when this process took the lead: an attempt later all of that is over.
    for (now, over) in [(Mono(1), Mono::ZERO.after(ATTEMPT)), (NOW, NOW)] {
        let assumed = |scene: Scene| scene.at(now).look().known.assumed;
        assert_eq!(assumed(ready()), None, "R12: nothing was left undone");
        let update = UnknownOutcome::new(over, false, None);
        assert_eq!(assumed(ready().with(edited)), Some(update), "no create after Ready");
        let create = UnknownOutcome::new(over, false, Some(uid("u")));
        assert_eq!(assumed(waiting(Cause::Updating)), Some(create.clone()), "the id may be a second create's");
        assert_eq!(assumed(Scene::recorded(Verdict::Suspended)), Some(create), "it says nothing of what was sent");
    }
}

#[test]
fn rate_limits_may_have_been_sent_by_an_earlier_process_up_to_its_end() {
    assert_eq!(ready().look().known.limits_sent, Some(Mono::ZERO));
    assert_eq!(Scene::claimed().look().known.limits_sent, None, "they go with an id only");
    let ours = ready().with(|scene| scene.known.limits_sent = Some(Mono(7))).look();
    assert_eq!(ours.known.limits_sent, Some(Mono(7)), "the latest counts");
}

/// S7.
#[test]
fn for_a_window_after_taking_the_lead_each_sight_counts_as_the_first() {
    let last = Mono::ZERO.after(WINDOW.saturating_sub(ms(1)));
    let deleting: Change = |scene| scene.object.phase = Phase::Deleting;
    for (what, scene, counts) in [
        ("met, within", ready().met().at(last), true),
        ("met, after", ready().met().at(windows(1)), false),
        ("first, within", ready().at(last), true),
        ("first, after", ready().at(NOW), true),
    ] {
        assert_eq!(scene.clone().with(edited).look().known.assumed.is_some(), counts, "{what}");
        assert_eq!(scene.clone().look().known.limits_sent.is_some(), counts, "{what}");
        assert_eq!(scene.clone().with(deleting).look().object_state.met_deleting, counts, "{what}");
        assert!(!scene.look().object_state.met_deleting, "{what}, alive");
    }
}

#[test]
fn work_left_undone_is_taken_into_account_once() {
    let looked = ready().with(edited).at(Mono(1)).look();
    let again = looked.with(|scene| assert!(scene.known.settle().is_some())).look();
    assert_eq!(again.known.assumed, None, "a settled read has answered it, or no edit would ever be settled");
}

#[test]
fn r6_who_met_it_in_deletion_knows_that_though_a_cache_that_is_behind_shows_it_alive() {
    let met = Scene::claimed().with(|scene| scene.object.phase = Phase::Deleting).look();
    assert!(met.object_state.met_deleting, "a delete is sent for a claim without an id, too");
    let behind = met.with(|scene| scene.object.phase = Phase::Live).at(Mono(1)).look();
    assert!(behind.object_state.met_deleting);
}

#[test]
fn what_this_process_claimed_itself_no_other_has_sent_anything_for() {
    let here = ready().with(edited).with(|scene| scene.object_state.claimed_here = true);
    for scene in [here.clone(), here.clone().at(Mono(1)), here.met().at(Mono(1))] {
        let looked = scene.with(|scene| scene.object.phase = Phase::Deleting).look();
        assert_eq!((looked.known.assumed, looked.known.limits_sent), (None, None));
        assert!(!looked.object_state.met_deleting);
    }
}

/// S32.
#[test]
fn who_says_ready_has_nothing_in_doubt() {
    let heard = |of: Option<&str>, change: Change| {
        let doubts = |scene: &mut Scene| scene.known.assumed = Some(doubt(of));
        ready().met().with(doubts).with(change).look().known.assumed
    };
    for of in [None, Some("u")] {
        assert_eq!(heard(of, |_| ()), None, "{of:?}");
    }
    assert_eq!(heard(Some("v"), |_| ()), Some(doubt(Some("v"))), "another object's create is not this one's to tell");
    let says_nothing: [(&str, Change); 5] = [
        ("a cache may be behind", |scene| scene.object.fresh = false),
        ("it is leaving", |scene| scene.object.phase = Phase::Deleting),
        ("of an older generation", edited),
        ("it is not Ready", |scene| scene.record().shown = shown(Verdict::Waiting(Cause::Updating))),
        ("of no identity", |scene| scene.record().held = None),
    ];
    for (what, change) in says_nothing {
        assert_eq!(heard(Some("u"), change), Some(doubt(Some("u"))), "{what}");
    }
    let own = ready().met().with(|scene| scene.known.doubt = Some(doubt(None))).look();
    assert_eq!(own.known.doubt, Some(doubt(None)), "what this process sent no other can tell");
}

/// S32.
#[test]
fn who_holds_ready_back_for_a_doubt_sent_something() {
    let theirs = |now: Mono| Some(UnknownOutcome::new(now.after(ATTEMPT), false, None));
    let held_back = || waiting(Cause::Settling).met();
    let mut scene = held_back().look();
    assert_eq!(scene.known.assumed, theirs(NOW));
    // The same status says it once, also when a read has settled it; after a Ready it says it anew.
    scene = scene.at(NOW.after(WINDOW)).with(|scene| drop(scene.known.settle())).look();
    assert_eq!(scene.known.assumed, None);
    scene = scene.with(synced).look();
    assert_eq!(scene.known.assumed, None);
    scene = scene.with(|scene| scene.record().shown = shown(Verdict::Waiting(Cause::Settling))).look();
    assert_eq!(scene.known.assumed, theirs(NOW.after(WINDOW)));

    let says_nothing: [(&str, Change); 5] = [
        ("of an older generation", edited),
        ("of no identity", |scene| scene.record().held = None),
        ("for another cause", |scene| scene.record().shown = shown(Verdict::Waiting(Cause::Updating))),
        ("not held back", |scene| scene.record().shown.ready = true),
        ("a doubt of ours", |scene| scene.known.doubt = Some(doubt(None))),
    ];
    for (what, change) in says_nothing {
        assert_eq!(held_back().with(change).look().known.assumed, None, "{what}");
    }
    let reworded = held_back().with(|scene| scene.record().shown.message = "xyzzy".to_owned()).look();
    assert_eq!(reworded.known.assumed, theirs(NOW), "another version's words");
    let theirs_already = held_back().with(|scene| scene.known.assumed = Some(doubt(None))).look();
    assert_eq!(theirs_already.known.assumed, Some(doubt(None)), "that may be the one: nothing is prolonged");
}

#[test]
fn r13_what_was_failing_before_a_restart_is_tried_within_the_spread() {
    let failing = || waiting(Cause::RateLimited).with(|scene| scene.policy.stagger = SPREAD);
    let held_back = failing().look().object_state.trouble.expect("it waits");
    let retry_at = held_back.retry_at.expect("a time");
    assert!((NOW..NOW.after(SPREAD)).contains(&retry_at), "{retry_at:?}");
    // Nothing failed yet, and nothing new is to be shown.
    assert_eq!(held_back, FailureState { retry_at: Some(retry_at), ..trouble() });

    let at_once: [(&str, Change); 8] = [
        ("no spread", |scene| scene.policy.stagger = Duration::ZERO),
        ("changed since", edited),
        ("a poke", |scene| scene.object.reconcile_request = Some(reconcile_request())),
        ("Ready", synced),
        ("Stalled", |scene| scene.record().shown = shown(Verdict::Stalled(Stall::ExistsNever))),
        ("Suspended", |scene| scene.record().shown = shown(Verdict::Suspended)),
        ("no status", |scene| scene.object.recorded = PriorStatus::Nothing),
        ("met before", |scene| scene.object_state.seen_before = true),
    ];
    for (what, change) in at_once {
        assert_eq!(failing().with(change).look().object_state.trouble, None, "{what}");
    }
}

#[test]
fn r16_what_is_left_alone_for_an_hour_is_not_tried_within_the_spread() {
    let mut scene = waiting(Cause::Contested).with(|scene| scene.policy.stagger = SPREAD).look();
    let trouble = scene.object_state.trouble.take().expect("it waits");
    assert_eq!((trouble.cause, trouble.retry_at), (Cause::Contested, Some(NOW.after(HOUR))));
}

#[test]
fn r13_restarted_objects_come_back_evenly_over_the_spread() {
    const OBJECTS: usize = 1_000;
    let wait = |n: usize| {
        let failing = waiting(Cause::Unavailable).with(|scene| {
            scene.policy.stagger = SPREAD;
            // Alike but for a few digits: the worst that uids, which are random, can be.
            scene.object.guard.uid = uid(&format!("{n:04x}19ff-8b86-4d01-b42d-00cf4fc964ff"));
        });
        let at = |scene: Scene| scene.look().object_state.trouble.expect("it waits").retry_at.expect("a time");
        assert_eq!(at(failing.clone()), at(failing.clone()), "another restart brings no other order");
        NOW.until(at(failing))
    };
    let mut tenths = [0; 10];
    for n in 0..OBJECTS {
        tenths[usize::try_from(wait(n).as_millis() * 10 / SPREAD.as_millis()).expect("small")] += 1;
    }
    assert!(tenths.iter().all(|objects| (70..130).contains(objects)), "{tenths:?}");
}
