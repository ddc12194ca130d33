//! What counts as the same state. Two states with the same fingerprint are explored as one, so a field that is left out hides
//! whatever depends on it. Each struct is therefore taken apart completely (no `..`): a new field does not compile until somebody
//! has decided about it, and each field that is left out says here why it may be.
//!
//! Times count relative to now, and those long past are alike, so that the state space is finite without a bound on time.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use unkey_operator_core::{
    ClaimEntry, Claimant, Content, CorrectionLimit, Evidence, FailureState, InFlight, Knowledge, Mono, ObjectState,
    Refusal, Refusals, Seen, Stripped, UnknownOutcome, Witness,
};

use crate::kube::{Kube, Thing};
use crate::operator::{Operator, Reconcile, Waiting};
use crate::state::State;
use crate::unkey::{ATTEMPT, Pending, TICK, Unkey, WINDOW};
use crate::words::{limits_code, meta_code};

/// Times further back than this are alike: no rule looks back more than a window and an attempt.
const LONG_AGO: u32 = WINDOW + ATTEMPT + 1;

/// Deletions further back than this are alike: what was sent before is long over (R4).
const LONG_DELETED: u32 = WINDOW + ATTEMPT + 2;

impl Hash for State {
    fn hash<H: Hasher>(&self, h: &mut H) {
        let Self {
            now,
            kube,
            unkey,
            ops,
            left,
            excused,
            kept,
            deleted,
            asked,
            unanswered,
            met,
            going,
            denied_type,
            backup,
            rewound,
            lost,
            was_blind,
            outdated,
            disturbed,
            broken,
            // Where `broken` was found: nothing follows a state in which it is.
            alone: _,
            past,
            // Counted for the quiet at the end, which compares them over one round; nothing else reads them.
            calls: _,
            sent: _,
            writes: _,
        } = self;
        // `version`: the next one; see `order`.
        let Kube { slots, version: _, uids, reconcile_requests, came_back } = kube;
        for slot in slots {
            slot.as_ref().map(|thing| (thing.print(), age(thing, self), order(thing.version, self))).hash(h);
        }
        (uids, reconcile_requests, came_back, denied_type, rewound, backup.is_some()).hash(h);
        for thing in backup.iter().flatten() {
            thing.as_ref().map(|thing| (thing.print(), age(thing, self), order(thing.version, self))).hash(h);
        }
        hash_unkey(unkey, *now, h);
        ops.len().hash(h);
        for op in ops {
            Print { op, state: self }.hash(h);
        }
        (left, excused, kept, deleted, asked, unanswered, met, going, lost, disturbed, broken).hash(h);
        (outdated, was_blind).hash(h);
        past.len().hash(h);
        for (at, slot, thing) in past {
            (now - at, slot).hash(h);
            hash_thing(thing, self, h);
        }
    }
}

fn hash_unkey<H: Hasher>(unkey: &Unkey, now: u32, h: &mut H) {
    let Unkey { live, past, pending, makers, taken } = unkey;
    (live, past.len(), pending.len(), makers, taken).hash(h);
    for (at, shown) in past {
        (now - at, shown).hash(h);
    }
    for Pending { op, uid, wire, deadline } in pending {
        (op, uid, wire, deadline - now).hash(h);
    }
}

/// Versions matter only by which is the newest: a patch tests whether its object is, and a cache is behind if its own is not. Where etcd goes back they
/// matter by their order, too.
fn hash_thing<H: Hasher>(thing: &Thing, state: &State, h: &mut H) {
    let newest = state.kube.slots.iter().flatten().any(|newest| newest.version == thing.version);
    (newest, thing.print(), age(thing, state), order(thing.version, state)).hash(h);
}

/// The place of a version among all that somebody has. Without a backup, versions only grow: then none is compared but with the newest.
fn order(version: u32, state: &State) -> Option<usize> {
    let has_backup = state.backup.is_some() || state.rewound;
    has_backup.then(|| {
        let stored = state.kube.slots.iter().chain(state.backup.iter().flatten()).flatten();
        let cached = state.ops.iter().flat_map(|op| op.cache.iter().flatten());
        let sessions = state.ops.iter().flat_map(|op| op.reconcile.iter().chain(op.other.as_deref()));
        let all = stored.chain(cached).chain(sessions.map(|reconcile| &reconcile.thing)).map(|thing| thing.version);
        all.filter(|other| *other < version).collect::<BTreeSet<_>>().len()
    })
}

/// How long ago it was deleted: that is read only when a process sees the object for the first time, or as if for the first time after a restore of etcd.
fn age(thing: &Thing, state: &State) -> Option<u32> {
    let seen = |op: &Arc<Operator>| {
        op.object_state.iter().any(|(uid, object_state)| *uid == thing.uid && object_state.seen_before)
    };
    let goes_back = state.left.rewinds > 0 || state.backup.is_some() || state.rewound;
    let read = goes_back || state.left.crashes > 0 || !state.ops.iter().all(seen);
    thing.deleted.filter(|_| read).map(|at| (state.now - at).min(LONG_DELETED))
}

/// One process.
struct Print<'a> {
    op: &'a Operator,
    state: &'a State,
}

impl Print<'_> {
    fn time(&self, at: Mono) -> i64 {
        let now = self.op.mono(self.state.now).0;
        let ago = i64::try_from(at.0).expect("a time") - i64::try_from(now).expect("a time");
        ago.max(-i64::from(LONG_AGO) * i64::try_from(TICK.as_millis()).expect("small"))
    }

    fn hash<H: Hasher>(&self, h: &mut H) {
        let Operator {
            since,
            stale,
            blind,
            cache,
            behind,
            known,
            object_state,
            claims,
            reconcile,
            other,
            strays,
            key,
            workspace,
            crd,
            draining,
            late,
        } = self.op;
        ((self.state.now - since).min(LONG_AGO), stale, blind, behind, key, draining).hash(h);
        format!("{late:?}").hash(h);
        for cached in cache {
            cached.is_some().hash(h);
            if let Some(thing) = cached {
                hash_thing(thing, self.state, h);
            }
        }
        self.known(known, h);
        object_state.len().hash(h);
        for (uid, object_state) in object_state {
            uid.hash(h);
            self.object_state(object_state, h);
        }
        for ClaimEntry { claimant, version, extra: () } in claims.entries() {
            // That of the cache, but for the last one of what has ended.
            u32::try_from(*version).ok().and_then(|version| order(version, self.state)).hash(h);
            let Claimant { uid, recorded, credential, claimed, created, born, leaving, held: _, observes } = claimant;
            (uid, recorded, credential, claimed, created, born, leaving, observes).hash(h);
        }
        // Who holds the lock: his who has a session.
        for reconcile in [reconcile.as_ref(), other.as_deref()] {
            reconcile.is_some().hash(h);
            if let Some(reconcile) = reconcile {
                self.reconcile(reconcile, h);
            }
        }
        strays.len().hash(h);
        for thing in strays {
            hash_thing(thing, self.state, h);
        }
        workspace.fingerprint(|at| self.time(at), h);
        crd.fingerprint(self.op.mono(self.state.now), WINDOW * TICK, h);
        self.witness(known, workspace.witness(), h);
    }

    /// Of a witness only this matters: what it says of the reads that wait for it, and of those that are answered from now on.
    fn witness<H: Hasher>(&self, known: &Knowledge, witness: &Witness, h: &mut H) {
        let now = self.op.mono(self.state.now);
        let ended = known.unwitnessed.filter(|_| known.lacks_witness());
        let tentative = known.tentative.as_ref().filter(|_| matches!(known.seen, Seen::Absent { .. }));
        for doubt in tentative.iter().filter_map(|(_, doubt)| doubt.as_ref()) {
            let UnknownOutcome { over, ended, creates } = doubt;
            (self.evidence(*over), ended, creates).hash(h);
        }
        let tentative = tentative.map(|(ended, _)| *ended);
        for witness in [witness.of(false), witness.of(true)] {
            (witness.blind(), witness.testimony(now), witness.was_vain_since(now)).hash(h);
            for ended in [ended, tentative] {
                ended.map(|ended| (witness.testimony(ended), witness.was_vain_since(ended), ended == now)).hash(h);
            }
        }
    }

    fn reconcile<H: Hasher>(&self, reconcile: &Reconcile, h: &mut H) {
        let Reconcile { slot, thing, session, key, permitted, waiting, read, saw } = reconcile;
        (slot, key, permitted, read, saw, waiting.is_some()).hash(h);
        let now = self.op.mono(self.state.now);
        session.fingerprint(|at| self.time(at), |at| at == now, h);
        hash_thing(thing, self.state, h);
        // `call`: the session has it. `ticket`: that of its request under way.
        if let Some(Waiting { ticket: _, call: _, reply, begun }) = waiting.as_deref() {
            (format!("{reply:?}"), self.state.now - begun).hash(h);
        }
    }

    fn evidence(&self, evidence: Evidence) -> Option<i64> {
        match evidence {
            Evidence::LongSince => None,
            Evidence::Since(at) => Some(self.time(at)),
        }
    }

    fn known<H: Hasher>(&self, known: &Knowledge, h: &mut H) {
        // `unwitnessed`, `tentative`: see `witness`.
        let Knowledge {
            last,
            evidence_from,
            doubt,
            assumed,
            in_flight,
            unsure,
            limits_sent,
            seen,
            shown_at,
            unwitnessed: _,
            tentative: _,
        } = known;
        last.hash(h);
        self.evidence(*evidence_from).hash(h);
        for doubt in [doubt, assumed] {
            doubt.is_some().hash(h);
            if let Some(UnknownOutcome { over, ended, creates }) = doubt {
                (self.evidence(*over), ended, creates).hash(h);
            }
        }
        in_flight.is_some().hash(h);
        if let Some(InFlight { uid, what, deadline, fields, sent_before }) = in_flight {
            (uid, what, self.time(*deadline), fields, sent_before).hash(h);
        }
        // One that is longer ago than a window says nothing any more.
        let shown_at = shown_at.map(|at| self.time(at)).filter(|ago| *ago > -i64::from(WINDOW) * 10_000);
        (unsure, limits_sent.map(|at| self.time(at)), shown_at).hash(h);
        self.seen(seen, known, h);
    }

    fn seen<H: Hasher>(&self, seen: &Seen, known: &Knowledge, h: &mut H) {
        let window = WINDOW * TICK;
        // A settled read stays settled, however long ago it began. One that a write under way unsettles may be settled again, if
        // that write is refused; nothing else that comes later can settle it.
        let settled = known.settled(window).is_some();
        let would_be = |begun: &Mono| match known.evidence_from {
            Evidence::LongSince => true,
            Evidence::Since(at) => *begun >= at.after(window),
        };
        match seen {
            Seen::Nothing => 0_u8.hash(h),
            Seen::Absent { first, last, of } => {
                let row = *last >= first.after(window);
                let first_settled = *first >= known.settles_at(window);
                (1_u8, settled, first_settled, row, self.time(*first), self.time(*last), of).hash(h);
            }
            Seen::Ours { begun, identity, content: Content { meta, limits } } => {
                (2_u8, settled, would_be(begun), identity, meta_code(meta), limits_code(limits)).hash(h);
            }
            Seen::Foreign { begun } => (3_u8, settled, would_be(begun)).hash(h),
        }
    }

    fn refusals<H: Hasher>(&self, refusals: &Refusals, h: &mut H) {
        refusals.iter().count().hash(h);
        for refusal in refusals.iter() {
            let Refusal {
                write,
                code,
                words,
                latest,
                failures,
                tried_at,
                retry_at,
                version,
                generation,
                reconcile_request,
                told,
            } = refusal;
            // What is due is due.
            (write, code, words, latest, failures, self.time(*tried_at), self.time(*retry_at).max(0)).hash(h);
            // It is only compared with the version that a reconcile sees.
            let newest = self.state.kube.things().any(|thing| thing.version.to_string() == *version);
            (newest, generation, reconcile_request, told).hash(h);
        }
    }

    fn object_state<H: Hasher>(&self, object_state: &ObjectState, h: &mut H) {
        let ObjectState {
            seen_before,
            met_deleting,
            claimed_here,
            claiming,
            claim_met,
            undone_met,
            settling_met,
            drifted,
            sent,
            met_exists,
            keeping,
            suspicion,
            unfound,
            exists_since,
            maybe_own,
            rejudge,
            credential,
            judged,
            fight,
            failures,
            // Read only beside the last success of any other call, and the model has no other: `thrives` is always `None`.
            failing_since: _,
            broken,
            trouble,
            refusals,
            stale,
            stripped,
            // The model has no scan.
            sight: _,
        } = object_state;
        (seen_before, met_deleting, claimed_here, claim_met, undone_met, settling_met).hash(h);
        claiming.hash(h);
        (unfound, exists_since.map(|at| self.time(at))).hash(h);
        (drifted, sent, met_exists, keeping, suspicion, maybe_own, rejudge, credential, judged, failures, broken)
            .hash(h);
        fight.is_some().hash(h);
        if let Some(CorrectionLimit { generation, found, corrections, last }) = fight {
            (generation, found, corrections, self.time(*last)).hash(h);
        }
        self.refusals(refusals, h);
        (stale, stripped.is_some()).hash(h);
        if let Some(Stripped { claim, generation, reconcile_request, times, last, by }) = stripped {
            (claim, generation, reconcile_request, times, self.time(*last), by).hash(h);
        }
        trouble.is_some().hash(h);
        if let Some(FailureState { cause, retry_at, lasting, generation, write, reconcile_request, credential }) =
            trouble
        {
            // What is due is due.
            let retry = retry_at.map(|at| self.time(at).max(0));
            (cause, retry, lasting, generation, write, reconcile_request, credential).hash(h);
        }
    }
}
