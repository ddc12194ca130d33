//! What must hold, by name: of every step as it takes effect, and of every state. Each looks at the world as it is, never at
//! what a decision was told. Where docs/contributing/rules.md says what is not promised, the exemption stands here with its reason.

use std::sync::Arc;

use stateright::Property;
use unkey_operator_api::Origin;
use unkey_operator_core::{
    Call, Claim, Field, FieldHash, Fields, Limits, Meta, OwnedIdentity, ReleaseProof, Role, StatusUpdate, Verdict,
};

use crate::kube::Thing;
use crate::model::World;
use crate::operator::{Operator, Reconcile};
use crate::state::State;
use crate::unkey::{Identity, Wire};
use crate::words::{LIMITS, META, Stored, number_of, uid};

macro_rules! broken {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A property that did not hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Broken { $($(#[$doc])* $name,)* }

        impl Broken {
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        /// Every one, as the checker asks for it.
        pub fn all() -> Vec<Property<World>> {
            vec![$(Property::always($text, |_: &World, state: &State| state.broken != Some(Broken::$name)),)*]
        }
    };
}

broken! {
    /// R11: a write upstream directly follows an uncached read of the object, or a write to it.
    FreshLook = "a write to Unkey follows a fresh look",
    /// R14
    Suspended = "a suspended object causes no call",
    /// R21
    Observed = "what is only observed is not written to",
    /// R21
    Settled = "what is only observed is let go once its id is recorded, and nothing else",
    /// R8
    Loser = "an object that does not own its externalId causes no call",
    /// R1
    Claimed = "a create is sent only under the object's own claim of that content",
    /// R3, R6
    OnlyOwn = "only what is recorded, made or lawfully taken is written to",
    /// R5, S7
    AsAsked = "an update sends what the spec asks for",
    /// R18
    Looked = "a field is written for the first time after a look that loses nothing, as the status says; managed is only what was taken",
    /// R3
    Lawful = "an identity is taken only if it was made for the object or the adoption policy allows",
    /// R7
    Orphan = "what is to stay is not deleted",
    /// R7
    Live = "only an object that is leaving has its identity deleted, only one that stays gets one",
    /// R7
    Released = "no object is let go while its identity lives",
    /// R7
    InDoubt = "no object is let go while a create of it may still land",
    /// R6
    Again = "a delete is repeated only after a look that shows that very identity",
    /// R9
    GivenUp = "only an identity that is gone is given up",
    /// R8
    OneOwner = "an identity is recorded by one object at most",
    /// R11
    OtherUid = "nothing is written to an object of another uid",
    /// R5
    Ready = "Ready=True: Unkey accepted this generation, and holds it unless others were at it",
    /// R1
    Protected = "Ready=True: finalizer and claim are on",
    /// R24
    Patient = "what is Ready and was asked for nothing new is not said to wait",
    /// R24
    Keeps = "a status that says that work waits keeps the id that is recorded",
    /// R1, R8, R14
    ClaimOnly = "only an owner that is live and not suspended claims",
    /// R8
    Entered = "who owns nothing comes to own nothing while the definition in the cluster is older",
    /// R15
    Elsewhere = "nothing is created in another workspace than that of what is recorded",
    /// R15
    OldKey = "nothing is asked under a root key that is no longer in use",
    /// S42
    Drained = "a process that is about to end creates only what it has just claimed",
    /// Liveness.
    Rests = "left alone, it comes to rest",
    /// Liveness.
    Truth = "at rest, the status says how it stands",
    /// Liveness.
    Equal = "at rest and asked to look, Unkey holds what the spec asks for",
    /// Liveness.
    NothingLeft = "at rest, no identity is left behind",
    /// Liveness. R12.
    Quiet = "at rest, nothing is called and nothing written",
}

impl Broken {
    /// It is about what happens when the world is left alone.
    pub fn is_liveness(self) -> bool {
        matches!(self, Self::Rests | Self::Truth | Self::Equal | Self::NothingLeft | Self::Quiet)
    }
}

/// R18: what an update writes for the first time is recorded, and follows a look of this reconcile at what it takes nothing from. A field
/// of `taken` is managed, though no status may show yet that Unkey accepted it.
fn may_write(reconcile: &Reconcile, id: u8, call: &Call, taken: u8) -> bool {
    let (Call::Update { patch, .. }, Some(held)) = (call, reconcile.thing.held()) else { return false };
    let first = |field: &Field, sent: Option<FieldHash>, bit: u8| match (sent, field) {
        (None, _) | (Some(_), Field::Managed(_)) => Some(0),
        _ if taken & bit != 0 => Some(0),
        (Some(sent), Field::Pending(hash)) => (sent == *hash).then_some(bit),
        (Some(_), Field::Unmanaged) => None,
    };
    let meta = first(&held.fields.meta, patch.meta.as_ref().map(Meta::hash), META);
    let limits = first(&held.fields.limits, patch.limits.as_ref().map(Limits::hash), LIMITS);
    match (meta, limits, reconcile.read.filter(|read| read.id == id)) {
        (Some(0), Some(0), _) => true,
        (Some(meta), Some(limits), Some(read)) => reconcile.thing.wish.may_write(meta | limits, read.stored),
        _ => false,
    }
}

fn is_adopted(held: &OwnedIdentity) -> bool {
    held.origin == Some(Origin::Adopted)
}

impl State {
    pub fn fail(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    fn check(&mut self, holds: bool, broken: Broken) {
        if !holds {
            self.fail(broken);
        }
    }

    fn maker(&self, id: u8) -> Option<u8> {
        self.unkey.makers.get(usize::from(id)).copied().flatten()
    }

    /// What an object may take: an identity that was made for it, or that its policy allows to take as the last read of this reconcile
    /// truly showed it. While the answer to a create is missing, what holds just the content that was sent cannot be told
    /// from what it made (docs/contributing/rules.md, not promised).
    fn may_take(&self, reconcile: &Reconcile, id: u8) -> bool {
        let Some(read) = reconcile.read.filter(|read| read.id == id) else {
            return self.maker(id) == Some(reconcile.thing.uid);
        };
        let sent = reconcile.thing.claim_state().own().is_some_and(|claim| claim.hash == read.stored.content().hash());
        let alike = sent && !read.stored.is_empty() && self.unanswered & (1 << reconcile.thing.uid) != 0;
        // It met the create of that content, so it was to be taken; the edit came between that answer and the look.
        let met = sent && reconcile.thing.wish.adopts() && self.met & (1 << reconcile.thing.uid) != 0;
        alike || met || self.maker(id) == Some(reconcile.thing.uid) || reconcile.thing.wish.may_take(read.stored)
    }

    /// What an object may delete without having recorded it: what was made for it. While the answer to a create is missing, what holds just
    /// the content that was sent cannot be told from what it made (docs/contributing/rules.md, not promised). What the policy would only have
    /// adopted is not its own (R7).
    fn is_own(&self, reconcile: &Reconcile, id: u8) -> bool {
        let read = reconcile.read.filter(|read| read.id == id);
        let sent = |read: Identity| {
            reconcile.thing.claim_state().own().is_some_and(|claim| claim.hash == read.stored.content().hash())
                && !read.stored.is_empty()
        };
        let alike = read.is_some_and(sent) && self.unanswered & (1 << reconcile.thing.uid) != 0;
        alike || self.maker(id) == Some(reconcile.thing.uid)
    }

    /// A call is about to be sent.
    pub fn check_call(&mut self, at: usize, op: &Operator, reconcile: &Reconcile, call: &Call) {
        let thing = &*reconcile.thing;
        let gone = reconcile.session.gone().is_some();
        self.check(gone || !thing.wish.controls.suspend, Broken::Suspended);
        self.check(gone || op.role_of(thing) == Role::Owner, Broken::Loser);
        self.check(reconcile.key == op.key, Broken::OldKey);
        let creates = matches!(call, Call::Create(_)) && thing.claim_state().own().is_some();
        self.check(!op.draining || gone || creates, Broken::Drained);
        let Some(wire) = Wire::of(call) else { return };
        self.check(!thing.wish.observes(), Broken::Observed);
        self.check(reconcile.saw, Broken::FreshLook);
        match wire {
            Wire::Create(_) => {
                self.check(!gone && !thing.is_deleting(), Broken::Live);
                let own = thing.claim_state();
                let Call::Create(wanted) = call else { return };
                let claimed = thing.finalizer && own.own().is_some_and(|claim| claim.hash == *wanted.content_hash());
                self.check(claimed, Broken::Claimed);
            }
            Wire::Update { id, meta, limits } => {
                self.check(!gone && !thing.is_deleting(), Broken::Live);
                self.check(thing.held_id() == Some(id), Broken::OnlyOwn);
                let Stored { meta: wants_meta, limits: wants_limits } = thing.wish.fill.stored();
                let asked = meta.is_none_or(|meta| meta == wants_meta) && limits.is_none_or(|l| l == wants_limits);
                self.check(asked && !thing.wish.invalid, Broken::AsAsked);
                self.check(may_write(reconcile, id, call, self.unkey.taken_by(thing.uid)), Broken::Looked);
            }
            Wire::Delete(id) => {
                let alive = gone && self.kube.find(thing.uid).is_some() && !self.rewound;
                self.check((gone || thing.is_deleting()) && !alive, Broken::Live);
                self.check(!thing.wish.keeps_on_delete() && self.kept & (1 << thing.uid) == 0, Broken::Orphan);
                // What is given up is recorded still: it may only have been hidden.
                let held = thing.record().and_then(|record| record.held.as_ref());
                let recorded = held.is_some_and(|held| number_of(held.identity.id()) == id);
                self.check(recorded || self.is_own(reconcile, id), Broken::OnlyOwn);
                self.check(self.deleted[at] & (1 << id) == 0, Broken::Again);
                self.deleted[at] |= 1 << id;
            }
        }
    }

    /// A claim has been put on. `before`: the object that it was put on.
    pub fn check_claim(&mut self, op: &Operator, before: &Thing, claim: &Claim) {
        self.asked |= 1 << before.uid;
        self.check(!before.wish.observes(), Broken::Observed);
        let may = !before.is_deleting() && !before.wish.controls.suspend && op.role_of(before) == Role::Owner;
        self.check(may, Broken::ClaimOnly);
        let gives_up = |claim: &Claim| claim.given_up.clone();
        let kept =
            before.held().is_some() && before.claim_state().own().is_none_or(|own| gives_up(own) == gives_up(claim));
        self.check(kept || !self.outdated, Broken::Entered);
        let lives = self.unkey.live.is_some_and(|live| claim.given_up.as_ref().map(number_of) == Some(live.id));
        // A key that may only create cannot be told from an empty workspace: the create says so, and the id is taken back (R19).
        self.check(!lives || self.was_blind, Broken::GivenUp);
    }

    /// A status has been written over that of `before`.
    pub fn check_status(&mut self, reconcile: &Reconcile, before: &Thing, report: &StatusUpdate) {
        self.check(before.uid == reconcile.thing.uid, Broken::OtherUid);
        if let Some(id) = report.held.as_ref().map(|held| number_of(held.identity.id())) {
            let recorded =
                before.record().and_then(|record| record.held.as_ref()).map(|held| number_of(held.identity.id()));
            self.check(recorded == Some(id) || self.may_take(reconcile, id), Broken::Lawful);
            // What is only adoptable when the object goes is let go (R7).
            let late = before.is_deleting() && recorded != Some(id) && report.held.as_ref().is_some_and(is_adopted);
            self.check(!late, Broken::Lawful);
            self.check_fields(reconcile, before, report, recorded == Some(id));
        }
        if matches!(report.verdict, Verdict::Observing(_)) {
            self.check(reconcile.thing.wish.observes(), Broken::Settled);
        } else if report.verdict.is_ready() {
            let held = report.held.is_some()
                && !reconcile.thing.wish.invalid
                && report.generation == reconcile.thing.generation;
            self.check(held, Broken::Ready);
            let on = reconcile.thing.finalizer && reconcile.thing.claim_state().own().is_some();
            self.check(on, Broken::Protected);
        }
    }

    /// R18: a status says managed only of what was written, or found as it is wanted; and what it gives up is nobody's.
    fn check_fields(&mut self, reconcile: &Reconcile, before: &Thing, report: &StatusUpdate, same: bool) {
        let Some(held) = &report.held else { return };
        let (uid, id) = (before.uid, number_of(held.identity.id()));
        if !same && self.maker(id) != Some(uid) {
            self.unkey.release(uid, META | LIMITS);
        }
        let read = reconcile.read.filter(|read| read.id == id).map(|read| read.stored);
        let found = read.map_or(0, |stored| reconcile.thing.wish.finds(stored));
        // What the claim names was asked for by this object's own spec, before an edit if not now (R3).
        let claimed = read.is_some_and(|stored| {
            reconcile.thing.claim_state().own().is_some_and(|claim| claim.hash == stored.content().hash())
        });
        let recorded = before.record().and_then(|record| record.held.as_ref()).filter(|_| same);
        for (bit, field, was) in [
            (META, &held.fields.meta, recorded.map(|held| &held.fields.meta)),
            (LIMITS, &held.fields.limits, recorded.map(|held| &held.fields.limits)),
        ] {
            if field.is_managed() {
                let taken = self.unkey.taken_by(uid) | found;
                let lawful = was.is_some_and(Field::is_managed) || claimed || taken & bit != 0;
                self.check(lawful, Broken::Looked);
                self.unkey.take(uid, bit);
            } else if !field.is_named() && (reconcile.thing.wish.observes() || reconcile.thing.wish.named() & bit == 0)
            {
                self.unkey.release(uid, bit);
            }
        }
    }

    /// It was written over the status of `before` that work waits.
    pub fn check_telling(&mut self, before: &Thing, report: &StatusUpdate) {
        let recorded = before.record().and_then(|record| record.held.as_ref()).map(|held| &held.identity);
        self.check(recorded == report.held.as_ref().map(|held| &held.identity), Broken::Keeps);
        let rests = before.is_ready() && !before.is_deleting() && before.held().is_some();
        self.check(!rests, Broken::Patient);
    }

    /// Finalizer and claim have been taken off `before`.
    pub fn check_release(&mut self, at: usize, before: &Thing, because: &ReleaseProof) {
        if *because == ReleaseProof::Orphaned {
            let goes = self.going || self.denied_type >= 2;
            self.check(before.wish.keeps_on_delete() || goes, Broken::Released);
            self.excuse(before.uid);
            self.kept |= 1 << before.uid;
            return;
        }
        if before.is_deleting() && before.wish.controls.suspend {
            let harmless = self.going
                || matches!(because, ReleaseProof::NeverSent | ReleaseProof::NeverClaimed | ReleaseProof::NotOurs);
            self.check(harmless, Broken::Suspended);
        }
        // Taken off by hand before: what is then left is left by the user's hand (docs/contributing/rules.md).
        if before.tampered || self.is_excused(before.uid) {
            return;
        }
        // Two leaders: what the other one has made or found and not recorded, it clears up after itself (S35). That it does is
        // checked where the world is left alone.
        let found = |op: &Operator| {
            op.object_state.iter().any(|(of, object_state)| *of == before.uid && object_state.maybe_own.is_some())
        };
        let other =
            |(place, op): (usize, &Arc<Operator>)| place != at && (op.known.owes(&uid(before.uid)) || found(op));
        if self.ops.iter().enumerate().any(other) {
            return;
        }
        self.check(!self.unkey.creates_for(before.uid), Broken::InDoubt);
        let Some(live) = self.unkey.live else { return };
        let ours = live.maker == Some(before.uid) || before.held_id() == Some(live.id);
        // What was never recorded is deleted only if it is surely our own create (R7): not if it is empty, nor if that create was answered
        // "exists".
        let recorded = before.held_id() == Some(live.id);
        let surely = recorded || (!live.stored.is_empty() && self.met & (1 << before.uid) == 0);
        let told = surely && self.can_be_told(before, live);
        // R21: its id stays in the status, and that is all.
        let observed = *because == ReleaseProof::Observed;
        let nothing_accepted = before.held().is_none_or(|held| held.fields == Fields::default());
        self.check(!observed || (before.wish.observes() && nothing_accepted), Broken::Settled);
        if observed && recorded {
            return;
        }
        self.check(!ours || !told, Broken::Released);
        if ours && !told {
            self.excuse(before.uid);
        }
    }

    /// What was made for `thing` can be told to be its own.
    pub fn can_be_told(&self, thing: &Thing, live: Identity) -> bool {
        let emptied = live.stored.is_empty() && !thing.wish.may_take(live.stored);
        !live.touched && !emptied && !self.is_mistaken(thing, live)
    }

    /// What was made for `thing` is taken for somebody else's (docs/contributing/rules.md, not promised).
    fn is_mistaken(&self, thing: &Thing, live: Identity) -> bool {
        let bit = 1 << thing.uid;
        // Unkey's own repetition answered "exists", and `Never` takes nothing over.
        let met = self.met & bit != 0 && !thing.wish.adopts();
        // Two at work: one lacks the answer to its create, and the other one follows an edit.
        let lost = self.ops.len() > 1 && self.unanswered & bit != 0 && !thing.wish.holds(live.stored);
        met || lost
    }

    /// What must hold of every state.
    pub fn check_state(&mut self) {
        let mut owners = 0;
        let live = self.unkey.live;
        let mut untrue = false;
        for thing in self.kube.things() {
            // What is only observed keeps the id that it once owned, for when it is enforced again (R21).
            let owns = !thing.claimant().observes && thing.held_id() == live.map(|live| live.id);
            owners += usize::from(live.is_some() && owns);
            // What Unkey holds by now of what is only observed, the next scan tells.
            if thing.record().is_some_and(|record| record.observed.is_some()) {
                continue;
            }
            // An edit asks for something new, so what Ready said is of an older generation. A deletion too.
            if !thing.is_ready() || thing.is_deleting() || thing.tampered || thing.wish.invalid {
                continue;
            }
            untrue |= match live {
                Some(live) if thing.held_id() == Some(live.id) => !live.touched && !thing.wish.holds(live.stored),
                // Others may delete it and make another: that is found by the next look. So is what a restored status tells wrongly, and what a
                // key that may only create has taken for gone.
                _ => !self.disturbed && !self.rewound && !self.was_blind,
            };
        }
        self.check(owners <= 1, Broken::OneOwner);
        self.check(!untrue, Broken::Ready);
    }
}
