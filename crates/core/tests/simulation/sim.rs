//! One object, one process, driven as the controller drives them. Every step is checked against what must always hold.

mod checks;
mod cluster;
mod reconcile;
mod words;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use unkey_operator_core::{
    Approval, Controls, Crd, DeletionLimits, Deletions, EventNote, FieldHash, Gate, Knowledge, KubeWrite, Limits, Meta,
    Mono, ObjectKey, ObjectState, OwnershipGate, Policy, Record, Role, Uid, Wake, Witness, rewound,
};

use crate::world::{DEADLINE, Fate, Rights, Unkey, WINDOW, ms};

pub use words::{content, desired, wish};

/// Steps after which a reconcile is taken to run in circles.
const MANY: usize = 40;

/// A cache may be behind by so much.
const BEHIND: Duration = ms(20_000);

/// What a user asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    pub meta: Option<Meta>,
    pub limits: Option<Limits>,
    pub controls: Controls,
    pub invalid: bool,
}

/// The object as the API server holds it.
#[derive(Clone, Debug)]
pub struct Thing {
    pub uid: Uid,
    pub version: u64,
    /// When this version came to be.
    pub at: Duration,
    pub generation: i64,
    pub wish: Wish,
    /// When it was deleted, as a wall clock tells it that the process can read.
    pub deleted: Option<Duration>,
    pub finalizer: bool,
    pub claim: Option<String>,
    pub reconcile_request: Option<String>,
    pub status: Option<(Uid, Record)>,
    /// A user took finalizer, claim or status away: what is then left behind is left by the user's hand.
    pub tampered: bool,
}

impl Thing {
    pub fn is_deleting(&self) -> bool {
        self.deleted.is_some()
    }
}

/// What one process remembers.
#[derive(Debug, Default)]
pub struct Process {
    pub known: Knowledge,
    pub object_state: HashMap<Uid, ObjectState>,
    pub witness: Witness,
    pub since: Duration,
    reconcile_requests: HashMap<String, Mono>,
    /// An object that went in the middle of its create, still to be cleared up after.
    stray: Option<Thing>,
}

/// What happens in the course of one reconcile; step numbers count from 0.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Fates of the calls, in order; those beyond are fine.
    pub fates: Vec<Fate>,
    /// The process dies when this step took effect, before it learns of it.
    pub crash_after: Option<usize>,
    /// The future is dropped when this step took effect.
    pub drop_after: Option<usize>,
    /// A user acts right before this step is performed.
    pub meanwhile: Option<(usize, Act)>,
    /// The reconcile begins with the object as it was so many versions ago, if the cache can be that far behind.
    pub stale: usize,
    /// These writes to Kubernetes are refused, with this HTTP status.
    pub refused: Vec<(KubeWrite, u16)>,
}

/// What others do.
#[derive(Clone, Debug)]
pub enum Act {
    Wish(Wish),
    ReconcileRequest,
    Delete,
    Strip,
    StrangerDeletes,
    StrangerMakes(unkey_operator_core::Content),
    StrangerWrites(unkey_operator_core::Content),
    /// The root key has these permissions from now on.
    Rights(Rights),
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    NoObject,
    Done,
    Wait(Wake),
    Cut,
    Circles,
}

/// On purpose wrong: what hold and brake say is not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MassFault {
    NoBrake,
    NoHold,
    /// An episode ends after two windows.
    FreedByTime,
    /// The account is forgotten again and again.
    Forgets,
    NoApproval,
}

pub struct Sim {
    pub fault: Option<MassFault>,
    pub key: ObjectKey,
    /// Whether its deletion may go without being counted, as its annotation and its namespace say.
    pub approval: Approval,
    /// The account of all deletions: that of one process, which several objects share.
    pub deletions: Rc<RefCell<Deletions>>,
    pub now: Duration,
    pub thing: Option<Thing>,
    pub unkey: Unkey,
    pub process: Process,
    pub policy: Policy,
    pub role: Role,
    pub gate: Gate,
    /// What a look at the CRD shows; `Unguarded`: there is none.
    pub crd: Crd,
    pub ownership_gate: OwnershipGate,
    /// When a call for another object last succeeded.
    pub thrives: Option<Mono>,
    pub successors: bool,
    /// Chance in waits.
    pub jitter: u16,
    /// Someone takes the object away by hand right before its first status is written.
    pub vanish_before_status: bool,
    /// Writes to Kubernetes that are refused whatever a script says, with this HTTP status.
    pub refuses: Vec<(KubeWrite, u16)>,
    /// A mutating webhook takes each claim off again.
    pub strips: bool,
    /// The reconcile ends with an error instead of a write to Kubernetes, once so many were made.
    pub kube_fails_after: Option<usize>,
    /// What updates of the object sent, field by field: found again, it is nobody else's (R18).
    pub sent: HashSet<FieldHash>,
    /// Every request that was made.
    pub trace: Vec<String>,
    pub notes: Vec<EventNote>,
    past: Vec<Thing>,
    born: u32,
    version: u64,
    reconcile_requests: u32,
}

impl Sim {
    pub fn new() -> Self {
        Self {
            fault: None,
            key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
            approval: Approval::None,
            deletions: Rc::new(RefCell::new(Deletions::new(DeletionLimits::NONE))),
            // A process that has been up for a while: its reads are settled unless a write forbids it.
            now: 10 * WINDOW,
            thing: None,
            unkey: Unkey::new(),
            process: Process::default(),
            policy: Policy {
                window: WINDOW,
                attempt: DEADLINE,
                credential: Some("0123456789ab".to_owned()),
                ..Policy::default()
            },
            role: Role::Owner,
            gate: Gate::Open,
            crd: Crd::Unguarded,
            ownership_gate: OwnershipGate::Open,
            thrives: None,
            successors: false,
            jitter: 30_000,
            vanish_before_status: false,
            refuses: Vec::new(),
            strips: false,
            kube_fails_after: None,
            sent: HashSet::new(),
            trace: Vec::new(),
            notes: Vec::new(),
            past: Vec::new(),
            born: 0,
            version: 0,
            reconcile_requests: 0,
        }
    }

    /// One of many: its object has a uid of its own.
    pub fn numbered(n: usize, namespace: &str) -> Self {
        let born = 100 * u32::try_from(n).expect("a small number");
        let key = ObjectKey { namespace: namespace.to_owned(), name: format!("customer-{n}") };
        Self { key, born, ..Self::new() }
    }

    /// Of the object that was made last.
    pub fn last_uid(&self) -> Uid {
        Uid::new(&format!("uid-{}", self.born))
    }

    /// A new object, if there is none.
    pub fn apply(&mut self, wish: Wish) {
        if self.thing.is_some() {
            return self.act(&Act::Wish(wish));
        }
        self.born += 1;
        self.past.clear();
        self.put(Thing {
            uid: self.last_uid(),
            version: 0,
            at: Duration::ZERO,
            generation: 1,
            wish,
            deleted: None,
            finalizer: false,
            claim: None,
            reconcile_request: None,
            status: None,
            tampered: false,
        });
    }

    pub fn act(&mut self, act: &Act) {
        let now = self.now;
        match act {
            Act::StrangerDeletes => return self.unkey.stranger_deletes(now),
            Act::StrangerMakes(content) => return self.unkey.stranger_makes(now, content.clone()),
            Act::StrangerWrites(content) => return self.unkey.stranger_writes(now, content.clone()),
            Act::Rights(rights) => {
                self.unkey.rights = *rights;
                return;
            }
            _ => {}
        }
        let Some(mut thing) = self.thing.clone() else { return };
        match act {
            Act::Wish(wish) if thing.wish != *wish => {
                thing.wish = wish.clone();
                thing.generation += 1;
            }
            Act::ReconcileRequest => {
                self.reconcile_requests += 1;
                thing.reconcile_request = Some(format!("poke-{}", self.reconcile_requests));
            }
            Act::Delete if !thing.finalizer => {
                self.thing = None;
                return;
            }
            Act::Delete if !thing.is_deleting() => {
                thing.deleted = Some(now);
                thing.generation += 1;
            }
            Act::Strip => {
                thing.finalizer = false;
                thing.claim = None;
                thing.tampered = true;
                if thing.is_deleting() {
                    self.thing = None;
                    return;
                }
            }
            _ => return,
        }
        self.put(thing);
    }

    pub fn restart(&mut self) {
        self.process = Process { since: self.now, ..Process::default() };
    }

    /// Etcd is restored from the backup that holds `thing`, and the watch lists anew.
    pub fn rewind(&mut self, thing: &Thing) {
        self.past.clear();
        self.thing = Some(thing.clone());
        let mono = self.mono();
        let object_state = self.process.object_state.entry(thing.uid.clone()).or_default();
        rewound(&thing.uid, &mut self.process.known, object_state, mono);
    }

    pub fn sleep(&mut self, wait: Duration) {
        self.now += wait;
        self.unkey.advance(self.now);
    }

    pub fn mono(&self) -> Mono {
        Mono::ZERO.after(self.now.saturating_sub(self.process.since))
    }

    /// One reconcile without mishaps.
    pub fn reconcile(&mut self) -> End {
        self.reconcile_with(&Script::default())
    }

    /// Reconciles, sleeping when told to, until nothing is left to do but to wait for a change.
    pub fn settle(&mut self) -> End {
        for _ in 0..60 {
            match self.reconcile() {
                End::Wait(Wake::At(at)) => self.sleep(self.mono().until(at).max(ms(1))),
                End::Wait(Wake::Witness) => {
                    // The look of this reconcile was in vain, and so is the one that comes after the backoff.
                    if !self.look() {
                        return self.reconcile();
                    }
                }
                end => return end,
            }
        }
        panic!("never settles:\n{}", self.trace.join("\n"));
    }

    /// Reconciles while something is denied for good, which has no end.
    pub fn go_on(&mut self) {
        for _ in 0..8 {
            match self.reconcile() {
                End::Wait(Wake::At(at)) => self.sleep(self.mono().until(at).max(ms(1))),
                End::Wait(Wake::Witness) => {
                    self.sleep(ms(30_000));
                    self.look();
                }
                _ => return,
            }
        }
    }

    /// A look for a witness, as the controller makes one at once for whoever begins to wait. True if something was shown.
    pub fn look(&mut self) -> bool {
        self.trace.push("Look".to_owned());
        self.sleep(ms(1));
        let begun = self.mono();
        let found = self.unkey.witness(self.now);
        self.sleep(ms(20));
        match found {
            Ok(()) => self.process.witness.shown(begun),
            Err(cause) => self.process.witness.missed(self.mono(), cause),
        }
        self.process.witness.blind().is_none()
    }

    pub fn taken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trace)
    }

    pub fn record(&self) -> &Record {
        &self.thing.as_ref().expect("an object").status.as_ref().expect("a status").1
    }

    /// The message for people holds these words, where messages have a meaning.
    pub fn says(&self, words: &str) -> bool {
        cfg!(feature = "nonsense-messages") || self.record().shown.message.contains(words)
    }

    pub fn ready(&self) -> bool {
        self.thing
            .as_ref()
            .is_some_and(|t| t.status.as_ref().is_some_and(|(_, r)| r.shown.ready && r.generation == t.generation))
    }

    pub fn object_state(&mut self) -> &mut ObjectState {
        let uid = self.thing.as_ref().expect("an object").uid.clone();
        self.process.object_state.entry(uid).or_default()
    }
}
