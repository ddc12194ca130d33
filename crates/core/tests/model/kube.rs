//! The Kubernetes API: the objects with uid, version, generation, finalizer, claim and status, the tests in the operator's
//! patches (R11), and an object as a decision sees it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use unkey_operator_api::Origin;
use unkey_operator_core::session::ObjectView;
use unkey_operator_core::{
    Approval, Claim, ClaimState, Claimant, Guard, Mono, Object, ObjectKey, OwnedIdentity, Phase, PriorStatus, Progress,
    ReconcileRequest, Record, StatusUpdate, Uid,
};

use crate::unkey::TICK;
use crate::words::{Wish, external_id, number_of, uid};

/// One version of an object.
#[derive(Clone, Debug)]
pub struct Thing {
    pub uid: u8,
    pub version: u32,
    pub generation: i64,
    pub wish: Wish,
    /// The tick of its deletionTimestamp.
    pub deleted: Option<u32>,
    pub finalizer: bool,
    /// The claim annotation and the uid that it names.
    pub claim: Option<(u8, Claim)>,
    pub reconcile_request: Option<u8>,
    /// The status and the uid that it was written for.
    pub status: Option<(u8, Record)>,
    /// Age in seconds, for the rank (R8).
    pub born: i64,
    /// A user took finalizer and claim away by hand.
    pub tampered: bool,
    /// Fingerprint of all but the version.
    print: u64,
}

/// The API server's store: at most two objects of the one externalId, by name.
#[derive(Clone, Debug, Default)]
pub struct Kube {
    pub slots: [Option<Arc<Thing>>; 2],
    pub version: u32,
    pub uids: u8,
    pub reconcile_requests: u8,
    /// An object that a restore of etcd has brought back.
    pub came_back: Option<u8>,
}

/// How the API server answers a patch.
pub enum Patched {
    /// Done; the object as it is now.
    Done(Arc<Thing>),
    /// A test in it failed.
    Refused,
}

impl Thing {
    pub fn born(uid: u8, born: i64, wish: Wish) -> Self {
        Self {
            uid,
            version: 0,
            generation: 1,
            wish,
            deleted: None,
            finalizer: false,
            claim: None,
            reconcile_request: None,
            status: None,
            born,
            tampered: false,
            print: 0,
        }
    }

    pub fn print(&self) -> u64 {
        self.print
    }

    fn seal(&mut self) {
        // `version`, and how long ago it was deleted: see `fingerprint`; `print` is what comes of this.
        let Self {
            uid,
            version: _,
            generation,
            wish,
            deleted,
            finalizer,
            claim,
            reconcile_request,
            status,
            born,
            tampered,
            print,
        } = self;
        let mut hasher = DefaultHasher::new();
        (uid, generation, wish, deleted.is_some(), finalizer, claim, reconcile_request, status, born, tampered)
            .hash(&mut hasher);
        *print = hasher.finish();
    }

    pub fn is_deleting(&self) -> bool {
        self.deleted.is_some()
    }

    pub fn claim_state(&self) -> ClaimState {
        match &self.claim {
            None => ClaimState::Absent,
            Some((of, claim)) if *of == self.uid => ClaimState::Own(claim.clone()),
            Some(_) => ClaimState::Foreign,
        }
    }

    /// Its own status.
    pub fn record(&self) -> Option<&Record> {
        self.status.as_ref().filter(|(of, _)| *of == self.uid).map(|(_, record)| record)
    }

    /// The identity recorded under this uid, unless the claim gives it up.
    pub fn held(&self) -> Option<&OwnedIdentity> {
        let held = self.record()?.held.as_ref()?;
        let given_up =
            self.claim.as_ref().filter(|(of, _)| *of == self.uid).and_then(|(_, claim)| claim.given_up.as_ref());
        (given_up != Some(held.identity.id())).then_some(held)
    }

    pub fn held_id(&self) -> Option<u8> {
        self.held().map(|held| number_of(held.identity.id()))
    }

    pub fn is_ready(&self) -> bool {
        self.record().is_some_and(|record| record.shown.ready && record.generation == self.generation)
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let observed = self.record().map(|record| record.generation);
        Progress { generation: self.generation, observed, leaving: self.is_deleting() }
    }

    /// What it says for its right to the externalId (R8), as `controller::snapshot` reads it.
    pub fn claimant(&self) -> Claimant {
        Claimant {
            uid: uid(self.uid),
            recorded: self.held().map(|held| held.identity.id().clone()),
            credential: self.record().and_then(|record| record.held.as_ref()?.credential.as_deref()).map(Into::into),
            claimed: self.claim_state().own().is_some() && self.finalizer,
            created: self
                .record()
                .and_then(|record| record.held.as_ref())
                .is_some_and(|held| held.origin == Some(Origin::Created)),
            born: self.born,
            leaving: self.is_deleting(),
            held: false,
            observes: !self.finalizer && self.claim.is_none() && self.wish.observes(),
        }
    }

    /// The object as a session is shown it.
    pub fn view(&self, since: Mono, now: u32) -> Object {
        let recorded = match &self.status {
            None => PriorStatus::Nothing,
            Some((of, _)) if *of != self.uid => PriorStatus::Restored,
            Some((_, record)) => PriorStatus::Own(Box::new(record.clone())),
        };
        let handled = recorded.own().and_then(|record| record.handled_request.as_deref());
        let reconcile_request =
            self.reconcile_request.map(|n| n.to_string()).filter(|value| Some(value.as_str()) != handled);
        let phase = if self.is_deleting() { Phase::Deleting } else { Phase::Live };
        Object {
            key: key(),
            guard: Guard { uid: uid(self.uid), resource_version: self.version.to_string() },
            phase,
            fresh: false,
            finalizer: self.finalizer,
            claim: self.claim_state(),
            approval: Approval::None,
            crowd: None,
            leaving_for: self.deleted.map(|at| now.saturating_sub(at) * TICK),
            generation: self.generation,
            reconcile_request: reconcile_request.map(|value| ReconcileRequest { value, since }),
            external_id: Some(external_id()),
            controls: self.wish.controls,
            spec: self.wish.spec(),
            recorded,
        }
    }
}

impl ObjectView for Thing {
    fn is(&self, of: &Uid) -> bool {
        uid(self.uid) == *of
    }

    fn guard(&self) -> Guard {
        Guard { uid: uid(self.uid), resource_version: self.version.to_string() }
    }

    fn has_finalizer(&self) -> bool {
        self.finalizer
    }

    fn is_claimed(&self) -> bool {
        self.finalizer && self.claim_state().own().is_some()
    }

    fn lacks(&self, _: &StatusUpdate) -> Option<Vec<String>> {
        None
    }
}

/// One key for both: messages name no other object.
pub fn key() -> ObjectKey {
    ObjectKey { namespace: "n".to_owned(), name: "o".to_owned() }
}

impl Kube {
    pub fn find(&self, uid: u8) -> Option<(usize, &Arc<Thing>)> {
        let found = self.slots.iter().enumerate().find(|(_, slot)| slot.as_ref().is_some_and(|thing| thing.uid == uid));
        found.and_then(|(at, slot)| slot.as_ref().map(|thing| (at, thing)))
    }

    /// Another object of the externalId exists.
    pub fn has_successors(&self, uid: u8) -> bool {
        self.slots.iter().flatten().any(|thing| thing.uid != uid)
    }

    pub fn things(&self) -> impl Iterator<Item = &Arc<Thing>> {
        self.slots.iter().flatten()
    }

    /// A new object.
    pub fn create(&mut self, slot: usize, wish: Wish) {
        let uid = self.uids;
        self.uids += 1;
        self.put(slot, Thing::born(uid, i64::from(uid), wish));
    }

    /// Stores a new version.
    pub fn put(&mut self, slot: usize, mut thing: Thing) -> Arc<Thing> {
        self.version += 1;
        thing.version = self.version;
        thing.seal();
        let thing = Arc::new(thing);
        self.slots[slot] = Some(Arc::clone(&thing));
        thing
    }

    /// Finalizer and claim, in one patch that tests uid and version.
    pub fn claim(&mut self, slot: usize, guard: &Guard, claim: &Claim) -> Patched {
        let Some(mut thing) = self.tested(slot, guard) else { return Patched::Refused };
        thing.finalizer = true;
        thing.claim = Some((thing.uid, claim.clone()));
        Patched::Done(self.put(slot, thing))
    }

    /// Both off, in one patch that tests uid and version. The last finalizer off ends an object that is being deleted.
    pub fn release(&mut self, slot: usize, guard: &Guard) -> Patched {
        let Some(mut thing) = self.tested(slot, guard) else { return Patched::Refused };
        thing.finalizer = false;
        thing.claim = None;
        let ends = thing.is_deleting();
        let last = self.put(slot, thing);
        if ends {
            self.slots[slot] = None;
        }
        Patched::Done(last)
    }

    /// The whole status, in a patch that tests the uid and what it was computed from. `fenced`: false only in a seeded fault.
    pub fn status(&mut self, slot: usize, from: &Thing, report: &StatusUpdate, fenced: bool) -> Patched {
        let Some(thing) = self.slots[slot].clone() else { return Patched::Refused };
        let basis = |thing: &Thing| {
            thing
                .status
                .as_ref()
                .map(|(_, record)| (record.generation, record.held.as_ref().map(|held| held.identity.id().clone())))
        };
        let recorded = from.view(Mono::ZERO, 0).recorded;
        let unwanted = thing.is_deleting() && report.begins_takeover(&recorded);
        if fenced && (thing.uid != from.uid || basis(&thing) != basis(from) || unwanted) {
            return Patched::Refused;
        }
        let mut thing = Thing::clone(&thing);
        thing.status = Some((from.uid, record(report)));
        Patched::Done(self.put(slot, thing))
    }

    fn tested(&self, slot: usize, guard: &Guard) -> Option<Thing> {
        let thing = self.slots[slot].as_ref()?;
        let same = uid(thing.uid) == guard.uid && thing.version.to_string() == guard.resource_version;
        same.then(|| Thing::clone(thing))
    }
}

fn record(report: &StatusUpdate) -> Record {
    Record {
        generation: report.generation,
        held: report.held.clone(),
        observed: report.observed(),
        deletion: Some(report.deletion),
        handled_request: report.handled_request.clone(),
        shown: report.shown(&key()),
    }
}
