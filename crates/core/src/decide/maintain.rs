//! Keeps an owned identity equal to the spec: updates, evidence, drift, fields that become managed, and the identity that is gone
//! (R5, R9, R18).

use crate::call::{Call, Patch, Purpose};
use crate::cause::Cause;
use crate::claim::Claim;
use crate::content::Content;
use crate::desired::Desired;
use crate::ids::Mono;
use crate::knowledge::Seen;
use crate::note::EventNote;
use crate::prior_status::OwnedIdentity;
use crate::situation::Situation;
use crate::step::{KubeStep, Step, Wake};
use crate::takeover;
use crate::verdict::{Stall, Verdict};

pub(super) fn maintain(s: &Situation<'_>, desired: &Desired, held: &OwnedIdentity) -> Step {
    if s.owes_id() {
        return created(s, desired, held);
    }
    let (fields, judged) = match evidence(s, held) {
        Evidence::Elsewhere => {
            let next = s.held_at_entry().unwrap_or_else(|| give_up(s, desired, held));
            return s.in_this_workspace(next);
        }
        Evidence::Foreign => return s.report(Verdict::Stalled(Stall::IdentityMismatch), Step::Done),
        Evidence::Unwitnessed => return s.in_this_workspace(s.await_witness()),
        Evidence::Gone { again } => {
            let wait = Step::Wait(Wake::At(again));
            let next = if s.now < again { s.report(Verdict::Waiting(Cause::Vanished), wait) } else { s.read() };
            return s.in_this_workspace(next);
        }
        Evidence::Holds(content) => {
            // R18: a field that becomes managed takes nothing from what is stored in it, unless it may.
            if let Some(losses) = takeover::would_lose(desired, &held.fields, content, s.adoption()) {
                return s.report(Verdict::Stalled(Stall::WouldLose(losses)), Step::Done);
            }
            (takeover::allowed(desired, &held.fields, content), true)
        }
        // It may have been written to since the look that allowed it: no look, no first update.
        Evidence::None if takeover::needs_look(desired, &held.fields) && !s.has_looked(desired, held) => {
            return s.read_settled();
        }
        // R21: whether it is still there, and as it was, nobody has looked after.
        Evidence::None if s.object.recorded.observes() && !s.overwrote() => return s.read_settled(),
        Evidence::None => (held.fields.clone(), false),
    };
    let suspicious = s.object_state.suspicion && !judged;
    if !suspicious && let Some((meta, limits)) = desired.missing_from(&fields.applied()) {
        if !s.object.held().is_some_and(|recorded| takeover::is_recorded(desired, &recorded.fields)) {
            // What is about to be written for the first time is recorded first, so that it is known again if the answer is lost.
            let recorded = Some(OwnedIdentity { fields, ..held.clone() });
            return s.say_with(recorded, Verdict::Waiting(Cause::Updating), Vec::new(), Step::Done);
        }
        // What the spec asks for was accepted once: then Unkey was changed behind our back.
        let accepted = s.object_state.drifted || desired.missing_from(&held.fields.applied()).is_none();
        let purpose = if judged && accepted { Purpose::Drift } else { Purpose::Spec };
        return s.call(Call::Update { to: held.identity.clone(), patch: Patch { meta, limits }, purpose });
    }
    let poked = s.poked();
    let doubt = s.known.doubt().is_some();
    if suspicious || poked || doubt {
        let next = s.read_settled();
        let record = s.object.recorded.own();
        let (ready, current) = record.map_or((false, false), |r| (r.shown.ready, r.generation == s.object.generation));
        return match next {
            // Another process says Ready, and knows what it sent: look whether it still does.
            _ if s.known.doubts_only_others() && ready && current && !s.object.fresh => Step::Kube(KubeStep::Refresh),
            // Ready says that no settled read contradicts it; with a write in doubt that is not known (R5).
            next if doubt && ready && current => s.report(Verdict::Waiting(Cause::Settling), next),
            // A reconcile request alone does not hold back that a new generation was accepted.
            Step::Wait(_) | Step::Call(_) if !doubt && !suspicious && !current => {
                s.say_holding(Some(OwnedIdentity { fields, ..held.clone() }), Verdict::Synced, next)
            }
            next => next,
        };
    }
    let held = OwnedIdentity { fields, ..held.clone() };
    s.say_holding(Some(held), Verdict::Synced, Step::Done)
}

/// An accepted create: its id is recorded before anything else, ready or not.
fn created(s: &Situation<'_>, desired: &Desired, held: &OwnedIdentity) -> Step {
    let replaces = s.object.claim.own().is_some_and(|claim| claim.given_up.is_some());
    let notes = if replaces { vec![EventNote::Recreated(held.identity.id().clone())] } else { Vec::new() };
    let verdict = if desired.missing_from(&held.fields.applied()).is_some() {
        Verdict::Waiting(Cause::Updating)
    } else if s.known.doubt().is_some() {
        Verdict::Waiting(Cause::Settling)
    } else {
        Verdict::Synced
    };
    s.say_with(Some(held.clone()), verdict, notes, Step::Done)
}

/// What a settled read says of the identity that is recorded.
enum Evidence<'a> {
    /// Nothing.
    None,
    /// It is there and holds this.
    Holds(&'a Content),
    /// It is not there, seen once; look again at that moment.
    Gone {
        /// A window after the first look.
        again: Mono,
    },
    /// It is not shown, and no witness has shown that this counts (R19).
    Unwitnessed,
    /// It is not there, proven; or another one stands in its place.
    Elsewhere,
    /// Something of another externalId answers.
    Foreign,
}

fn evidence<'a>(s: &'a Situation<'_>, held: &OwnedIdentity) -> Evidence<'a> {
    match s.settled() {
        Some(Seen::Ours { identity, content, .. }) if *identity == held.identity => Evidence::Holds(content),
        Some(Seen::Ours { .. }) => Evidence::Elsewhere,
        Some(Seen::Foreign { .. }) => Evidence::Foreign,
        Some(Seen::Absent { of, .. }) if s.known.lacks_witness() && of.as_ref() == Some(held.identity.id()) => {
            Evidence::Unwitnessed
        }
        Some(Seen::Absent { first, last, of }) if of.as_ref() == Some(held.identity.id()) => {
            // R9: two reads, both settled, a window apart.
            let first = (*first).max(s.settles_at());
            let again = first.after(s.policy.window);
            if *last >= again { Evidence::Elsewhere } else { Evidence::Gone { again } }
        }
        Some(Seen::Absent { .. } | Seen::Nothing) | None => Evidence::None,
    }
}

/// R9: the dead id is given up by claim before anything is made or taken in its place, so that no crash confuses them.
fn give_up(s: &Situation<'_>, desired: &Desired, held: &OwnedIdentity) -> Step {
    let given_up = Some(held.identity.id().clone());
    // What stands in its place may be a late create of ours (S37): the claim still has to say what that one sent.
    let sent = s.object.claim.own().filter(|_| s.object_state.maybe_own.is_some()).map(|claim| &claim.hash);
    let hash = sent.unwrap_or(desired.content_hash()).clone();
    Step::Kube(KubeStep::Claim(Claim { hash, given_up }))
}
