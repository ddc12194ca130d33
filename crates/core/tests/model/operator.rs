//! One process of the operator: its cache, its memory and the reconcile that it is in, as `controller::identity::{index, reconcile, orphan_cleanup}` keep
//! them. All objects of the model share an externalId, so a process is in one reconcile at a time (R8).

use std::sync::{Arc, LazyLock};

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};
use unkey_operator_core::session::{End, KubeReply, Moment, Records, Session, Ticket};
use unkey_operator_core::{
    Call, ClaimEntry, Claims, Crd, CrdMemory, Forgets, KeyMark, Knowledge, Look, Mono, ObjectState, OwnershipGate,
    Policy, Reply, Role, Source, Taken, Workspace, ended, rewound, role,
};

use crate::kube::{Kube, Thing};
use crate::seeded::Seeded;
use crate::step::Fate;
use crate::unkey::{ATTEMPT, Identity, TICK, Unkey, WINDOW};
use crate::words::uid;

static POLICIES: LazyLock<Vec<Arc<Policy>>> = LazyLock::new(|| {
    let policy = |key: u8| {
        Arc::new(Policy {
            adoption: AdoptionPolicy::IfLossless,
            deletion: DeletionPolicy::Delete,
            window: WINDOW * TICK,
            attempt: ATTEMPT * TICK,
            credential: Some(format!("key-{key}")),
            ..Policy::default()
        })
    };
    (0..KEYS).map(policy).collect()
});

/// Root keys that the model knows.
const KEYS: u8 = 4;

#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The tick at which this process took the lead.
    pub since: u32,
    /// It began with a cache that was behind.
    pub stale: bool,
    /// The objects of this slot's namespace are unknown: it has not been listed since the start.
    pub blind: Option<usize>,
    /// What the watch or a reply has shown, whatever is newer.
    pub cache: [Option<Arc<Thing>>; 2],
    /// Ticks that the cache has been behind.
    pub behind: [u8; 2],
    pub known: Knowledge,
    pub object_state: Vec<(u8, ObjectState)>,
    /// Who claims the externalId, and who holds the lock.
    pub claims: Claims<()>,
    pub reconcile: Option<Reconcile>,
    /// Only where a seeded fault ignores locks: a second session, which rests.
    pub other: Option<Box<Reconcile>>,
    /// Objects that went in the middle of a create, to be cleared up after.
    pub strays: Vec<Arc<Thing>>,
    /// Which root key is in use.
    pub key: u8,
    /// Whether that key leads to the workspace of what is recorded (R15).
    pub workspace: Workspace,
    /// What looks have shown of the CustomResourceDefinition (R10).
    pub crd: CrdMemory,
    /// It is about to end.
    pub draining: bool,
    /// For a seeded fault alone: an answer that came too late.
    pub late: Option<Reply>,
}

/// A session over one object, and what its performer keeps beside it.
#[derive(Clone, Debug)]
pub struct Reconcile {
    pub slot: usize,
    /// The object as it was last seen.
    pub thing: Arc<Thing>,
    pub session: Session,
    pub key: u8,
    /// It has a permit for a call, where one has to be waited for.
    pub permitted: bool,
    /// A call that Unkey has performed and whose answer is still on its way.
    pub waiting: Option<Box<Waiting>>,
    /// What the last read of this reconcile was truly answered: no decision sees it, the properties do.
    pub read: Option<Identity>,
    /// The object was truly seen and nothing came in between since: the same.
    pub saw: bool,
}

#[derive(Clone, Debug)]
pub struct Waiting {
    pub ticket: Ticket,
    pub call: Call,
    pub reply: Reply,
    pub begun: u32,
}

/// What a reconcile may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The reconcile under way goes on.
    On,
    /// The object in this slot of the cache.
    Object(usize),
    /// This one of the cleanups.
    Stray(usize),
}

impl Operator {
    /// A process that starts with this cache.
    pub fn start(now: u32, cache: [Option<Arc<Thing>>; 2], key: u8) -> Self {
        let workspace = Workspace::new(Self::policy(key).credential.clone(), false);
        let mut process = Self { since: now, key, workspace, ..Self::default() };
        for (slot, thing) in cache.into_iter().enumerate() {
            if let Some(thing) = &thing {
                process.claims_are_shown(thing, Source::Watch);
            }
            process.cache[slot] = thing;
        }
        process
    }

    fn claims_are_shown(&mut self, thing: &Thing, source: Source) -> Taken {
        let entry = ClaimEntry { claimant: thing.claimant(), version: u64::from(thing.version), extra: () };
        self.claims.put(entry, source, &mut self.workspace, |(), ()| ())
    }

    /// One look for an identity recorded under an earlier key (R15); `shown` is what Unkey answers.
    pub fn look_for_proof(&mut self, now: u32, mark: &KeyMark, shown: Option<Identity>) {
        let recorded = |thing: &Arc<Thing>| {
            let held = thing.held().filter(|held| held.credential == *mark);
            held.is_some() && thing.held_id() == shown.map(|shown| shown.id)
        };
        let hit = self.cache.iter().flatten().any(recorded);
        let look = if hit { Look::Hit } else { Look::Missed { begun: self.mono(now) } };
        self.looked(mark, &look);
    }

    pub fn looked(&mut self, mark: &KeyMark, look: &Look) {
        let policy = Self::policy(self.key);
        self.workspace.looked(&policy.credential, mark, look, policy.window);
    }

    pub fn mono(&self, now: u32) -> Mono {
        Mono::ZERO.after((now - self.since) * TICK)
    }

    /// Whether an object that owns nothing may come to own an identity.
    pub fn ownership_gate(&self) -> OwnershipGate {
        if self.blind.is_some() { OwnershipGate::Unseen } else { OwnershipGate::Open }
    }

    pub fn policy(key: u8) -> &'static Arc<Policy> {
        &POLICIES[usize::from(key)]
    }

    pub fn role(&self, of: u8) -> Role {
        self.claims.role(&uid(of))
    }

    /// The role of an object as the reconcile last saw it. The table may have dropped it meanwhile: then it is gone, and the reconcile has
    /// not heard of it yet. What it recorded outranks its successor still.
    pub fn role_of(&self, thing: &Thing) -> Role {
        let others =
            self.cache.iter().flatten().filter(|cached| cached.uid != thing.uid).map(|cached| cached.claimant());
        let claimants: Vec<_> = others.chain([thing.claimant()]).collect();
        role(&uid(thing.uid), &claimants)
    }

    /// The memory of an object, made if need be.
    pub fn memory(&mut self, of: u8) -> &mut ObjectState {
        let at = self.object_state.iter().position(|(uid, _)| *uid == of).unwrap_or_else(|| {
            self.object_state.push((of, ObjectState::default()));
            self.object_state.len() - 1
        });
        &mut self.object_state[at].1
    }

    /// Runs `work` with the reconcile under way and what outlives it.
    pub fn working<T>(&mut self, work: impl FnOnce(&mut Reconcile, &mut Records<'_>) -> T) -> T {
        let mut reconcile = self.reconcile.take().expect("a reconcile");
        let of = reconcile.thing.uid;
        let mut object_state = std::mem::take(self.memory(of));
        let done = work(&mut reconcile, &mut Records { known: &mut self.known, object_state: &mut object_state });
        *self.memory(of) = object_state;
        self.reconcile = Some(reconcile);
        done
    }

    /// What was asked for is about to be sent.
    pub fn sent(&mut self, seeded: Option<Seeded>, now: u32) -> Ticket {
        let now = self.mono(now);
        let deadline = now.after(ATTEMPT * TICK);
        self.working(|reconcile, memory| {
            let keeping = memory.object_state.keeping;
            if seeded == Some(Seeded::SecondRelease) {
                memory.object_state.keeping = false;
            }
            let ticket = reconcile.session.sent(memory, now, deadline).expect("it was asked for");
            match seeded {
                Some(Seeded::CallUnnoted) => memory.known.in_flight = None,
                Some(Seeded::ReleaseUnnoted) => memory.object_state.keeping = keeping,
                Some(Seeded::SecondRelease) => memory.object_state.keeping |= keeping,
                _ => {}
            }
            ticket
        })
    }

    /// Kubernetes has answered.
    pub fn replied(&mut self, now: u32, ticket: Ticket, reply: KubeReply<'_>) {
        let moment = Moment { now: self.mono(now), jitter: 0, thrives: None };
        self.working(|reconcile, memory| reconcile.session.replied(ticket, reply, memory, moment))
            .expect("its own answer");
    }

    /// The watch shows what the API server holds now.
    pub fn deliver(&mut self, slot: usize, kube: &Kube, now: u32, seeded: Option<Seeded>) {
        let newest = kube.slots[slot].clone();
        self.behind[slot] = 0;
        if self.blind == Some(slot) {
            self.blind = None;
        }
        let mut source = Source::Watch;
        if let Some(newest) = newest.as_ref().filter(|newest| self.went_back(slot, newest, kube)) {
            if seeded == Some(Seeded::DropsOlder) {
                return;
            }
            if seeded != Some(Seeded::KeepsMemory) {
                self.rewind(newest, now);
            }
            source = Source::Listing;
        }
        if let Some(before) = &self.cache[slot]
            && newest.as_ref().is_none_or(|newest| newest.uid != before.uid)
        {
            let before = Arc::clone(before);
            self.claims.remove(&uid(before.uid), &mut self.workspace);
            self.leaves(&before, now);
            if self.reconcile.is_none() {
                self.tidy();
            }
        }
        if let Some(newest) = &newest {
            self.claims_are_shown(newest, source);
        }
        self.cache[slot] = newest;
    }

    /// A listing shows an older version than was there before, as `controller::event_handler` finds it.
    fn went_back(&self, slot: usize, newest: &Thing, kube: &Kube) -> bool {
        let known = self.cache[slot].as_ref().filter(|cached| cached.uid == newest.uid);
        known.map_or(kube.came_back == Some(newest.uid), |cached| {
            newest.version < cached.version || cached.progress().is_undone(&newest.progress())
        })
    }

    /// What is remembered of an object belongs to a time that did not happen.
    pub fn rewind(&mut self, thing: &Thing, now: u32) {
        let mono = self.mono(now);
        let mut object_state = std::mem::take(self.memory(thing.uid));
        rewound(&uid(thing.uid), &mut self.known, &mut object_state, mono);
        *self.memory(thing.uid) = object_state;
        if let Some(reconcile) = &mut self.reconcile {
            reconcile.session.look_again();
            reconcile.saw &= reconcile.session.clears_up();
        }
    }

    /// An object is gone: what its create may have left is looked after. Its memory is the sweep's.
    fn leaves(&mut self, thing: &Arc<Thing>, now: u32) {
        let (of, mono) = (uid(thing.uid), self.mono(now));
        let recorded = thing.record().and_then(|record| record.held.as_ref()).map(|held| held.identity.id());
        let object_state = self.memory(thing.uid).clone();
        ended(&of, recorded, &mut self.known, &object_state, mono);
        let known = self.strays.iter().any(|stray| stray.uid == thing.uid);
        if !known && self.known.owes(&of) {
            self.strays.push(Arc::clone(thing));
        }
    }

    /// Takes in what a reply shows: of an object that the index knows.
    pub fn shown(&mut self, slot: usize, thing: &Arc<Thing>) {
        let taken = self.claims_are_shown(thing, Source::Reply);
        if matches!(taken, Taken::Same | Taken::Changed) && self.stores(slot, thing) {
            self.cache[slot] = Some(Arc::clone(thing));
        }
    }

    /// A seeded fault: any 404 is the end of the object.
    pub fn takes_for_gone(&mut self, now: u32) {
        let Some(thing) = self.reconcile.as_ref().map(|reconcile| Arc::clone(&reconcile.thing)) else { return };
        self.leaves(&thing, now);
    }

    /// The session has ended so.
    pub fn ends(&mut self, end: End, now: u32) {
        if end == End::Lives
            && let Some(reconcile) = &self.reconcile
        {
            let of = reconcile.thing.uid;
            self.strays.retain(|thing| thing.uid != of);
        }
        self.end_reconcile(end.is_cleared(), now);
    }

    /// A seeded fault: the answer to a read that was lost is taken for that to the next one.
    pub fn confuses(&mut self, seeded: Option<Seeded>, call: &Call, fate: Fate, reply: Reply) -> Reply {
        if seeded != Some(Seeded::ReplyToAnother) || !matches!(call, Call::Read(_)) {
            return reply;
        }
        if fate == Fate::Lost {
            self.late = Some(Unkey::read(self.reconcile.as_ref().and_then(|reconcile| reconcile.read)));
            return reply;
        }
        self.late.take().unwrap_or(reply)
    }

    /// The reconcile is over.
    pub fn end_reconcile(&mut self, cleared: bool, now: u32) {
        let Some(reconcile) = self.reconcile.take() else { return };
        self.reconcile = self.other.take().map(|other| *other);
        if self.reconcile.is_none() {
            self.claims.unlock();
        }
        if reconcile.session.clears_up() && cleared {
            self.strays.retain(|thing| thing.uid != reconcile.thing.uid);
        }
        let known = self.claims.knows(&uid(reconcile.thing.uid));
        // What a read alone denies is left to the watch (R26).
        if !reconcile.session.clears_up() && !known {
            self.leaves(&reconcile.thing, now);
        }
        self.tidy();
    }

    /// The sweep: memory of objects that no table names and no cleanup needs.
    fn tidy(&mut self) {
        let Self { object_state, cache, strays, reconcile, other, .. } = self;
        object_state.retain(|(uid, _)| {
            cache.iter().flatten().chain(strays.iter()).any(|thing| thing.uid == *uid)
                || reconcile.iter().chain(other.as_deref()).any(|reconcile| reconcile.thing.uid == *uid)
        });
        object_state.sort_by_key(|(uid, _)| *uid);
    }

    /// The sweep forgets what is known of an externalId that no object names any more.
    pub fn can_forget(&self, now: u32) -> bool {
        let forgets = self.claims.forgets(Some(&self.known), self.mono(now), WINDOW * TICK);
        forgets != Forgets::Nothing && self.strays.is_empty() && self.known != Knowledge::default()
    }

    pub fn new_key(&mut self, now: u32) {
        self.key += 1;
        let mono = self.mono(now);
        self.known.forget_reads(mono);
        self.workspace.key_changed(Self::policy(self.key).credential.clone(), mono);
    }

    fn takes_turn(&mut self, thing: &Thing) -> bool {
        if self.claims.try_lock() {
            return true;
        }
        // Only a seeded fault comes here while another session holds the lock.
        let can =
            self.other.is_none() && self.reconcile.as_ref().is_some_and(|reconcile| reconcile.thing.uid != thing.uid);
        if can {
            self.other = self.reconcile.take().map(Box::new);
        }
        can
    }

    /// The other session goes on. Only where a seeded fault ignores locks.
    pub fn switch(&mut self) {
        if let (Some(reconcile), Some(other)) = (self.reconcile.take(), self.other.take()) {
            (self.reconcile, self.other) = (Some(*other), Some(Box::new(reconcile)));
        }
    }

    /// The store has room for what a reply shows: the version without the last finalizer is never stored.
    fn stores(&self, slot: usize, thing: &Thing) -> bool {
        let ends = thing.is_deleting() && !thing.finalizer;
        let older = |cached: &Arc<Thing>| cached.uid == thing.uid && cached.version < thing.version;
        !ends && self.cache[slot].as_ref().is_some_and(older)
    }

    /// Begins a reconcile. False: there is nothing to begin with.
    pub fn begin(&mut self, target: Target, crd: Crd) -> bool {
        let (slot, thing, stray) = match target {
            Target::On => return self.reconcile.is_some(),
            Target::Object(slot) => match &self.cache[slot] {
                Some(thing) => (slot, Arc::clone(thing), false),
                None => return false,
            },
            Target::Stray(at) => (0, Arc::clone(&self.strays[at]), true),
        };
        if stray && self.blind.is_some() {
            // Heirs are looked for in every namespace.
            return false;
        }
        if !self.takes_turn(&thing) {
            return false;
        }
        let begin = if stray { Session::clear_up } else { Session::start };
        let session = begin(uid(thing.uid), Arc::clone(Self::policy(self.key)), crd, &mut self.known);
        self.memory(thing.uid);
        let (key, permitted) = (self.key, false);
        self.reconcile =
            Some(Reconcile { slot, thing, session, key, permitted, waiting: None, read: None, saw: false });
        true
    }
}
