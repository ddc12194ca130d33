//! R5: what an object that says Ready does while a write is in doubt, and the one step that this asks for.

use super::any::{WINDOW, windows};
use super::steps::{A, confirmed, desired, ready};
use super::*;

fn says_settling(step: &Step) -> bool {
    matches!(step, Step::Kube(KubeStep::Status { report, .. }) if report.verdict == Verdict::Waiting(Cause::Settling))
}

#[test]
fn ready_is_taken_back_while_a_write_of_its_own_is_in_doubt() {
    let mut any = ready();
    any.known.doubt = Some(UnknownOutcome::new(any.now, false, None));
    assert!(says_settling(&decide(&any.situation())));
    // Nor does it wait for the look that settles it.
    any.now = any.now.after(2 * WINDOW);
    assert!(says_settling(&decide(&any.situation())));
    // An edit that is not accepted yet says nothing of Ready: what settles it comes first.
    any.object.generation = 2;
    assert!(!says_settling(&decide(&any.situation())));
}

#[test]
fn what_another_process_may_have_sent_is_looked_up_in_kubernetes_first() {
    let mut any = ready();
    any.known.assumed = Some(UnknownOutcome::new(any.now, false, None));
    any.object.fresh = false;
    assert_eq!(decide(&any.situation()), Step::Kube(KubeStep::Refresh));
    any.object.fresh = true;
    assert!(says_settling(&decide(&any.situation())), "it still says Ready, and nobody knows");
    let mut own = any.clone();
    (own.object.fresh, own.known.doubt) = (false, Some(UnknownOutcome::new(own.now, false, None)));
    assert!(says_settling(&decide(&own.situation())), "no look at Kubernetes settles a write of ours");
}

/// What an update of unknown outcome left open is recorded as a settled look shows it.
#[test]
fn the_status_records_what_was_seen() {
    for poked in [false, true] {
        let mut any = ready();
        any.object.generation = 2;
        any.object.reconcile_request = poked.then(|| ReconcileRequest { value: "p".to_owned(), since: any.now });
        any.known.unsure = Some(UncertainFields { uid: uid("u"), meta: true, limits: false });
        let content = Content { meta: meta(A), limits: Limits::default() };
        any.known.seen = Seen::Ours { begun: any.now, identity: confirmed("id_1"), content };
        let Step::Kube(KubeStep::Status { report, .. }) = decide(&any.situation()) else { panic!("{any:?}") };
        let applied = report.held.map(|held| held.fields.applied());
        assert_eq!(applied, Some(desired(A).hashes().clone()), "poked: {poked}");
        assert_eq!(report.verdict, Verdict::Synced);
    }
}

/// R9: that it was absent before this id was owned proves nothing of it.
#[test]
fn an_absence_of_another_id_gives_nothing_up() {
    let mut any = ready();
    any.object_state.suspicion = true;
    let id = confirmed("id_1").id().clone();
    let absent = |of: Option<&IdentityId>| Seen::Absent { first: windows(3), last: any.now, of: of.cloned() };
    let (ours, other) = (absent(Some(&id)), absent(None));
    any.known.seen = ours;
    assert!(matches!(decide(&any.situation()), Step::Kube(KubeStep::Claim(_))), "{:?}", decide(&any.situation()));
    any.known.seen = other;
    assert!(matches!(decide(&any.situation()), Step::Call(Call::Read(_))), "{:?}", decide(&any.situation()));
}
