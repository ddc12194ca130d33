//! One process of the operator: its cache, its memory and the pass that it is in, as `controller::{table, pass, stray}` keep
//! them. All objects of the model share an externalId, so a process is in one pass at a time (R8).

use std::sync::{Arc, LazyLock};

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};
use unkey_operator_core::{
    Call, Crd, CrdMemory, Entry, KeyMark, Knowledge, Look, Mono, Policy, Reply, Role, Visits, Workspace, begin_pass,
    ended, rewound, role,
};

use crate::kube::{Kube, Thing};
use crate::seeded::Seeded;
use crate::unkey::{ATTEMPT, Identity, TICK_MS, WINDOW};
use crate::words::uid;

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let policy = |key: u8| Policy {
        adoption: AdoptionPolicy::IfLossless,
        deletion: DeletionPolicy::Delete,
        window: u64::from(WINDOW) * TICK_MS,
        attempt: u64::from(ATTEMPT) * TICK_MS,
        spread: 0,
        credential: Some(format!("key-{key}")),
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
    pub visits: Vec<(u8, Visits)>,
    pub pass: Option<Pass>,
    /// Objects that went in the middle of a create, to be cleared up after.
    pub strays: Vec<Arc<Thing>>,
    /// Which root key is in use.
    pub key: u8,
    /// Whether that key leads to the workspace of what is recorded (R15).
    pub workspace: Workspace,
    /// What looks have shown of the CustomResourceDefinition (R10).
    pub crd: CrdMemory,
}

/// A pass over one object.
#[derive(Clone, Debug)]
pub struct Pass {
    pub slot: usize,
    pub thing: Arc<Thing>,
    pub fresh: bool,
    pub gone: Option<bool>,
    /// It clears up after an object that is gone.
    pub stray: bool,
    pub key: u8,
    pub crd: Crd,
    /// A call that Unkey has performed and whose answer is still on its way.
    pub waiting: Option<Box<Waiting>>,
    /// What the last read of this pass was truly answered: no decision sees it, the properties do.
    pub read: Option<Identity>,
}

#[derive(Clone, Debug)]
pub struct Waiting {
    pub call: Call,
    pub reply: Reply,
    pub begun: u32,
}

/// What a pass may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The pass under way goes on.
    On,
    /// The object in this slot of the cache.
    Object(usize),
    /// This one of the strays.
    Stray(usize),
}

impl Operator {
    /// A process that starts with this cache.
    pub fn start(now: u32, cache: [Option<Arc<Thing>>; 2], key: u8) -> Self {
        let workspace = Workspace::new(Self::policy(key).credential.clone(), false);
        let mut process = Self { since: now, key, workspace, ..Self::default() };
        for (slot, thing) in cache.into_iter().enumerate() {
            process.cached(slot, thing);
        }
        process
    }

    /// Takes a version into the cache, and keeps account of the keys under which ids are recorded, as `Table::count` does.
    fn cached(&mut self, slot: usize, thing: Option<Arc<Thing>>) {
        let mark = |thing: &Option<Arc<Thing>>| {
            thing.as_ref().and_then(|thing| thing.held().map(|held| held.credential.clone()))
        };
        let (comes, goes) = (mark(&thing), mark(&self.cache[slot]));
        self.cache[slot] = thing;
        if comes == goes {
            return;
        }
        if let Some(comes) = comes {
            self.workspace.recorded(&comes);
        }
        if let Some(goes) = goes {
            self.workspace.dropped(&goes);
        }
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
        Mono(u64::from(now - self.since) * TICK_MS)
    }

    /// Whether an object that owns nothing may come to own an identity.
    pub fn entry(&self) -> Entry {
        if self.blind.is_some() { Entry::Unseen } else { Entry::Open }
    }

    pub fn policy(key: u8) -> &'static Policy {
        &POLICIES[usize::from(key)]
    }

    pub fn role(&self, of: u8) -> Role {
        let claimants: Vec<_> = self.cache.iter().flatten().map(|thing| thing.claimant()).collect();
        role(&uid(of), &claimants)
    }

    /// The role of an object as the pass last saw it. The table may have dropped it meanwhile: then it is gone, and the pass has
    /// not heard of it yet. What it recorded outranks its heir still.
    pub fn role_of(&self, thing: &Thing) -> Role {
        let others =
            self.cache.iter().flatten().filter(|cached| cached.uid != thing.uid).map(|cached| cached.claimant());
        let claimants: Vec<_> = others.chain([thing.claimant()]).collect();
        role(&uid(thing.uid), &claimants)
    }

    /// The memory of an object, made if need be.
    pub fn memory(&mut self, of: u8) -> &mut Visits {
        let at = self.visits.iter().position(|(uid, _)| *uid == of).unwrap_or_else(|| {
            self.visits.push((of, Visits::default()));
            self.visits.len() - 1
        });
        &mut self.visits[at].1
    }

    /// Takes out the memory that the pass under way uses, to be put back.
    pub fn take_memory(&mut self) -> Visits {
        let of = self.pass.as_ref().expect("a pass").thing.uid;
        std::mem::take(self.memory(of))
    }

    pub fn put_memory(&mut self, visits: Visits) {
        let of = self.pass.as_ref().expect("a pass").thing.uid;
        *self.memory(of) = visits;
    }

    /// The watch shows what the API server holds now.
    pub fn deliver(&mut self, slot: usize, kube: &Kube, now: u32, seeded: Option<Seeded>) {
        let newest = kube.slots[slot].clone();
        self.behind[slot] = 0;
        if self.blind == Some(slot) {
            self.blind = None;
        }
        if let Some(newest) = newest.as_ref().filter(|newest| self.went_back(slot, newest, kube)) {
            if seeded == Some(Seeded::DropsOlder) {
                return;
            }
            if seeded != Some(Seeded::KeepsMemory) {
                self.rewind(newest, now);
            }
        }
        if let Some(before) = &self.cache[slot]
            && newest.as_ref().is_none_or(|newest| newest.uid != before.uid)
        {
            let before = Arc::clone(before);
            self.leaves(&before, now);
            if self.pass.is_none() {
                self.tidy();
            }
        }
        self.cached(slot, newest);
    }

    /// A listing shows an older version than was there before, as `controller::intake` finds it.
    fn went_back(&self, slot: usize, newest: &Thing, kube: &Kube) -> bool {
        let known = self.cache[slot].as_ref().filter(|cached| cached.uid == newest.uid);
        known.map_or(kube.came_back == Some(newest.uid), |cached| {
            newest.version < cached.version || cached.progress().is_undone(&newest.progress())
        })
    }

    /// What is remembered of an object belongs to a time that did not happen.
    pub fn rewind(&mut self, thing: &Thing, now: u32) {
        let mono = self.mono(now);
        let mut visits = std::mem::take(self.memory(thing.uid));
        rewound(&uid(thing.uid), &mut self.known, &mut visits, mono);
        *self.memory(thing.uid) = visits;
        if let Some(pass) = self.pass.as_mut().filter(|pass| !pass.stray) {
            pass.fresh = false;
        }
    }

    /// An object is gone: what its create may have left is looked after. Its memory is the sweep's.
    fn leaves(&mut self, thing: &Arc<Thing>, now: u32) {
        let (of, mono) = (uid(thing.uid), self.mono(now));
        let recorded = thing.record().and_then(|record| record.held.as_ref()).map(|held| held.identity.id());
        let visits = self.memory(thing.uid).clone();
        ended(&of, recorded, &mut self.known, &visits, mono);
        let known = self.strays.iter().any(|stray| stray.uid == thing.uid);
        if !known && self.known.owes(&of) {
            self.strays.push(Arc::clone(thing));
        }
    }

    /// Takes in what a reply shows: of an object that the table knows.
    pub fn shown(&mut self, slot: usize, thing: &Arc<Thing>) {
        let older = |cached: &Arc<Thing>| cached.uid == thing.uid && cached.version < thing.version;
        if self.cache[slot].as_ref().is_some_and(older) {
            self.cached(slot, Some(Arc::clone(thing)));
        }
    }

    /// A seeded fault: any 404 is the end of the object.
    pub fn takes_for_gone(&mut self, now: u32) {
        let Some(thing) = self.pass.as_ref().map(|pass| Arc::clone(&pass.thing)) else { return };
        self.leaves(&thing, now);
    }

    /// The pass is over.
    pub fn end_pass(&mut self, cleared: bool, now: u32) {
        let Some(pass) = self.pass.take() else { return };
        if pass.stray && cleared {
            self.known.cleared_up();
            self.strays.retain(|thing| thing.uid != pass.thing.uid);
        }
        let known = self.cache.iter().flatten().any(|thing| thing.uid == pass.thing.uid);
        // What a read alone denies is left to the watch (R26).
        if !pass.stray && !known {
            self.leaves(&pass.thing, now);
        }
        self.tidy();
    }

    /// The sweep: memory of objects that no table names and no stray needs.
    fn tidy(&mut self) {
        let Self { visits, cache, strays, pass, .. } = self;
        visits.retain(|(uid, _)| {
            cache.iter().flatten().chain(strays.iter()).any(|thing| thing.uid == *uid)
                || pass.as_ref().is_some_and(|pass| pass.thing.uid == *uid)
        });
        visits.sort_by_key(|(uid, _)| *uid);
    }

    /// The sweep forgets what is known of an externalId that no object names any more.
    pub fn can_forget(&self, now: u32) -> bool {
        self.cache.iter().all(Option::is_none)
            && self.pass.is_none()
            && self.strays.is_empty()
            && self.known != Knowledge::default()
            && self.known.is_spent(self.mono(now), u64::from(WINDOW) * TICK_MS)
    }

    pub fn new_key(&mut self, now: u32) {
        self.key += 1;
        let mono = self.mono(now);
        self.known.forget_reads(mono);
        self.workspace.key_changed(Self::policy(self.key).credential.clone(), mono);
    }

    /// Begins a pass. False: there is nothing to begin with.
    /// `believes`: a seeded fault takes what is to be cleared up after for gone without a look.
    pub fn begin(&mut self, target: Target, kube: &Kube, crd: Crd, believes: bool) -> bool {
        let (slot, thing, stray) = match target {
            Target::On => return self.pass.is_some(),
            Target::Object(slot) => match &self.cache[slot] {
                Some(thing) => (slot, Arc::clone(thing), false),
                None => return false,
            },
            Target::Stray(at) => (0, Arc::clone(&self.strays[at]), true),
        };
        begin_pass(&mut self.known);
        let mut pass =
            Pass { slot, fresh: false, gone: None, stray, key: self.key, crd, waiting: None, read: None, thing };
        if stray {
            if self.blind.is_some() {
                // Heirs are looked for in every namespace.
                return false;
            }
            if kube.find(pass.thing.uid).is_some() && !believes {
                let of = pass.thing.uid;
                self.strays.retain(|thing| thing.uid != of);
                return false;
            }
            pass.gone = Some(kube.has_heirs(pass.thing.uid));
            pass.fresh = true;
        }
        self.memory(pass.thing.uid);
        self.pass = Some(pass);
        true
    }
}
