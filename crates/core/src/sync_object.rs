//! What a process takes from what it sees of an object, before it decides.

use std::time::Duration;

use super::cause::Cause;
use super::desired::Desired;
use super::fields::Field;
use super::fight;
use super::ids::{IdentityId, Mono, Uid};
use super::knowledge::{Knowledge, Seen};
use super::object::{Object, Phase};
use super::object_state::{FailureState, ObjectState};
use super::policy::{LOOK, Policy};
use super::refusal;
use super::shown::Shown;
use super::writes::{LastWrite, UnknownOutcome};
use unkey_operator_api::{Reason, StatusCause};

/// So much later than the deletion another process may have sent something: after an answer of that age and a standstill that nobody
/// notices. Clocks of one cluster may differ by the rest.
const SLACK: Duration = LOOK.saturating_add(Duration::from_secs(10));

/// Takes in an object as it was just seen.
pub fn sync_object(object: &Object, known: &mut Knowledge, object_state: &mut ObjectState, policy: &Policy, now: Mono) {
    assume_peer_writes(object, known, object_state, policy, now);
    observe_peer(object, known, object_state, policy, now);
    // A cache may be behind; only a fresh object shows that the question is answered: by this very id, since another one that
    // is recorded may be dead. One that is being deleted has to look for a second identity besides the recorded one.
    let (held, claimed) = (object.held().is_some(), object.claim.own().is_some());
    let recorded = object.held().is_some_and(|held| object_state.maybe_own.as_ref() == Some(&held.identity));
    let off = !claimed && !object.finalizer;
    if object.fresh && (off || (recorded && object.phase == Phase::Live)) {
        object_state.maybe_own = None;
    }
    object_state.met_exists &= claimed || !object.fresh;
    object_state.keeping &= !(object.fresh && object.finalizer);
    // It ends with the suspicion: found as it should be, or set right.
    object_state.drifted &= object_state.suspicion;
    // What was given up needs no judgement any more.
    object_state.suspicion &= held || !object.fresh;
    note(object, known);
    let stale = object_state.trouble.as_ref().is_some_and(|trouble| {
        trouble.generation != object.generation
            // A reconcile request that is echoed meanwhile is answered, and no reason to try again.
            || object.reconcile_request.as_ref().is_some_and(|reconcile_request| trouble.reconcile_request.as_ref() != Some(&reconcile_request.value))
            || trouble.credential != policy.credential
    });
    if stale {
        object_state.trouble = None;
        object_state.failures = 0;
    }
    rejudge(object, object_state, policy);
    refusal::sync_object(object, object_state, now);
}

/// Under another root key Unkey may answer otherwise: what it said is judged anew (R13). A restart alone is no other key.
fn rejudge(object: &Object, object_state: &mut ObjectState, policy: &Policy) {
    let shown = object.recorded.own().map(|record| &record.shown);
    let answered = |shown: &&Shown| {
        let own = [Reason::Rejected, Reason::AlreadyExists, Reason::IdentityMismatch, Reason::WouldLose];
        shown.stalled && shown.reason.is_some_and(|reason| own.contains(&reason))
    };
    let before = object_state.credential.replace(policy.credential.clone());
    if before.is_some_and(|before| before != policy.credential) && policy.credential.is_some() {
        object_state.rejudge = shown.filter(answered).and_then(|shown| shown.reason);
    }
    if object_state.rejudge != shown.and_then(|shown| shown.reason) {
        object_state.rejudge = None;
    }
}

/// True if whatever any process but this one sent for an object is over, and every replica shows it. An object that is being deleted
/// sends no create and no update, so what it sent is older than its deletion.
fn is_long_over(object: &Object, policy: &Policy) -> bool {
    let over = policy.attempt.saturating_add(policy.window).saturating_add(SLACK);
    object.phase == Phase::Deleting && object.leaving_for.is_some_and(|leaving| leaving >= over)
}

/// Accounts for what another process may have sent for this object, and may still have on its way.
fn assume_peer_writes(
    object: &Object,
    known: &mut Knowledge,
    object_state: &mut ObjectState,
    policy: &Policy,
    now: Mono,
) {
    let (held, claimed) = (object.held().is_some(), object.claim.own().is_some());
    let first = !std::mem::replace(&mut object_state.seen_before, true);
    let long_over = is_long_over(object, policy);
    let doubt = |over, create| {
        if long_over { UnknownOutcome::long_over(create) } else { UnknownOutcome::new(over, false, create) }
    };
    if first && long_over {
        known.others_are_long_over();
    } else if first && (claimed || held) {
        known.evidence_begins(now);
    }
    if first {
        fight::resume(object, object_state, policy, now);
        stagger_restart(object, object_state, policy, now);
    }
    // The answer to our own claim was lost: that no other process put it on is as sure as that only one acts. Who took it for another's
    // would take what was there before for a create of that one, and delete it.
    let ours = object.claim.own().is_some_and(|claim| object_state.claiming.contains(claim));
    if ours {
        object_state.claiming.clear();
    }
    // A claim without an id that this process did not put on: a create may be on its way.
    let strange = claimed && !held && !object_state.claimed_here && !object_state.claim_met && !ours;
    object_state.claim_met |= claimed;
    if strange {
        // Who sent it may have died a moment ago: the attempt lasts as long as one of ours.
        let create = Some(object.guard.uid.clone());
        known.assume(doubt(now.after(policy.attempt), create));
    }
    // For a while after taking the lead a cache may still show what was before the last process's writes (S7): until
    // then each sight counts as the first.
    let early = now < Mono::ZERO.after(policy.window);
    if object_state.claimed_here || !(first || early) {
        return;
    }
    object_state.met_deleting |= object.phase == Phase::Deleting;
    if !held {
        return;
    }
    known.limits_sent = known.limits_sent.max(Some(Mono::ZERO));
    // Who tells what an observed object comes upon has settled all that was in doubt before (R21).
    if !object.at_rest() && !object.recorded.observes() && !object_state.undone_met {
        object_state.undone_met = true;
        // Work was left undone: a write may be on its way; and even a create, if Ready was not yet true (S37).
        let settled = object.recorded.own().is_some_and(|record| record.shown.ready);
        let create = (!settled).then(|| object.guard.uid.clone());
        let over = now.max(Mono::ZERO.after(policy.attempt));
        known.assume(doubt(over, create));
    }
}

/// Two processes at work hear of each other by the status alone; neither may write again and again what the other then
/// takes back (S32). Who says Ready has nothing in doubt, what it assumed included. Who holds Ready back for a doubt that
/// is not ours sent something: it is in doubt here too, until it is over or the other one says Ready.
fn observe_peer(object: &Object, known: &mut Knowledge, object_state: &mut ObjectState, policy: &Policy, now: Mono) {
    let uid = &object.guard.uid;
    let vouched = object.fresh && object.phase == Phase::Live && object.held().is_some() && object.at_rest();
    if vouched && known.assumed.as_ref().is_some_and(|doubt| doubt.creates.iter().all(|of| of == uid)) {
        known.assumed = None;
    }
    let held_back = object.held().is_some()
        && object.recorded.own().is_some_and(|record| {
            record.generation == object.generation
                && !record.shown.ready
                && record.shown.cause == Some(StatusCause::Settling)
        });
    if held_back && !object_state.settling_met && known.doubt().is_none() {
        known.assume(UnknownOutcome::new(now.after(policy.attempt), false, None));
    }
    object_state.settling_met = held_back;
}

/// R13: what was failing before a restart is not tried again all at once because of it.
fn stagger_restart(object: &Object, object_state: &mut ObjectState, policy: &Policy, now: Mono) {
    // What was under way, or waited for its turn, was not failing (R24).
    let rests = |reason: Reason| reason == Reason::Progressing || reason.is_observing();
    let failing =
        |shown: &Shown| !shown.ready && !shown.stalled && !shown.suspended && !shown.reason.is_some_and(rests);
    let record = object.recorded.own().filter(|record| record.generation == object.generation);
    if policy.stagger.is_zero()
        || object_state.trouble.is_some()
        || object.reconcile_request.is_some()
        || !record.is_some_and(|record| failing(&record.shown))
    {
        return;
    }
    object_state.trouble = Some(FailureState {
        cause: Cause::Unavailable,
        retry_at: Some(now.after(share(&object.guard.uid, policy.stagger))),
        lasting: false,
        write: false,
        generation: object.generation,
        reconcile_request: None,
        credential: policy.credential.clone(),
    });
}

/// A part of `whole` that differs from object to object, evenly spread. FNV-1a: uids are random, any mixing will do.
fn share(uid: &Uid, whole: Duration) -> Duration {
    let hash =
        uid.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    whole.saturating_mul(hash) / (1 << 16) / (1 << 16)
}

/// What the status shows by now needs no longer be laid over it: another leader may have written since.
fn note(object: &Object, known: &mut Knowledge) {
    let held = object.recorded.own().and_then(|record| record.held.as_ref());
    match &mut known.last {
        LastWrite::Created { uid, identity, noted, .. } if *uid == object.guard.uid => {
            *noted |= held.is_some_and(|held| held.identity == *identity);
        }
        LastWrite::Updated { uid, identity, applied, told, noted } if *uid == object.guard.uid => {
            if let Some(held) = held.filter(|held| held.identity == *identity) {
                let generation = object.recorded.own().map_or(-1, |record| record.generation);
                let (later, wanted) = (generation > *told, object.spec.as_ref().ok());
                // What was released since, and the status says so, is not managed, whatever was accepted and whatever the spec has come to name
                // again (R17, R18). That work waits may have been told of this generation before.
                let released = |field: &Field, names: fn(&Desired) -> bool| {
                    let left_out = generation == object.generation && wanted.is_some_and(|wanted| !names(wanted));
                    (later || left_out) && !field.is_named()
                };
                applied.meta.take_if(|_| released(&held.fields.meta, |wanted| wanted.meta.is_some()));
                applied.limits.take_if(|_| released(&held.fields.limits, |wanted| wanted.limits.is_some()));
            }
            *noted |=
                held.is_some_and(|held| held.identity == *identity && held.fields.overlaid(applied) == held.fields);
        }
        _ => {}
    }
}

/// Takes in that an object is gone. If a read had found what a create of it may have made, and nothing was done about it, that is
/// in doubt again: the memory that it was found goes with the object (R2). `recorded`: the identity that its status named.
pub fn ended(uid: &Uid, recorded: Option<&IdentityId>, known: &mut Knowledge, object_state: &ObjectState, now: Mono) {
    if object_state.keeping {
        known.let_stay(uid);
        return;
    }
    let Some(found) = &object_state.maybe_own else { return };
    let deleted = matches!(&known.last, LastWrite::Deleted { uid: of, identity } if of == uid && identity == found);
    if recorded != Some(found.id()) && !deleted {
        known.add_doubt(UnknownOutcome::new(now, false, Some(uid.clone())));
    }
}

/// Takes in that Kubernetes was restored from a backup and shows an older state of the object: what this process remembers belongs to a time that did
/// not happen. All is judged anew as after a restart, and the identity is looked at once.
pub fn rewound(uid: &Uid, known: &mut Knowledge, object_state: &mut ObjectState, now: Mono) {
    // A delete that was sent was sent, whatever time says (R6).
    *object_state = ObjectState { suspicion: true, met_deleting: object_state.met_deleting, ..ObjectState::default() };
    known.forget_reads(now);
    // An id that no status has shown yet is known to nobody else.
    let owed = known.owes(uid) || !known.last.is_for(uid);
    if !owed {
        known.last = LastWrite::None;
    }
}

/// What an object leaves in Unkey that went without having been let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftBehind {
    /// Its identity is gone: this process has deleted it, or seen to be absent what it was.
    Nothing,
    /// Its identity, unless a write that was not answered has taken effect.
    Perhaps,
    /// Its identity.
    Identity,
}

/// What the object `uid` leaves that recorded `id`. `window`: the consistency window (R4).
pub fn left_behind(uid: &Uid, id: &IdentityId, known: &Knowledge, window: Duration) -> LeftBehind {
    let deleted = matches!(&known.last, LastWrite::Deleted { uid: of, identity } if of == uid && identity.id() == id);
    match known.settled(window) {
        _ if deleted => LeftBehind::Nothing,
        Some(Seen::Absent { of, .. }) if of.as_ref() == Some(id) => LeftBehind::Nothing,
        _ if known.doubt().is_some() => LeftBehind::Perhaps,
        _ => LeftBehind::Identity,
    }
}
