//! One object, one process, driven as the controller drives them. Every step is checked against what must always hold.

use std::collections::HashMap;

use unkey_operator::api::{AdoptionPolicy, DeletionPolicy};
use unkey_operator::domain::{
    Call, Claim, Controls, Desired, Freed, Guard, Knowledge, KubeStep, Limits, Mark, Meta, Mono, Note, Object,
    ObjectKey, Phase, Poke, Policy, Record, Recorded, Report, Role, Shown, Situation, Spec, SpecError, Step, Telling,
    Uid, Verdict, Visits, Wake, begin, begin_pass, claimed, decide, learn, observe,
};

use crate::world::{DEADLINE, Fate, Identity, Maker, Unkey, WINDOW, external_id};

/// Steps after which a pass is taken to run in circles.
const MANY: usize = 40;

/// Milliseconds that a cache may be behind.
const BEHIND: u64 = 20_000;

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
    pub at: u64,
    pub generation: i64,
    pub wish: Wish,
    pub deleting: bool,
    pub finalizer: bool,
    pub claim: Option<String>,
    pub poke: Option<String>,
    pub status: Option<(Uid, Record)>,
    /// A user took finalizer, claim or status away: what is then left behind is left by the user's hand.
    pub tampered: bool,
}

/// What one process remembers.
#[derive(Debug, Default)]
pub struct Process {
    pub known: Knowledge,
    pub visits: HashMap<Uid, Visits>,
    pub since: u64,
    pokes: HashMap<String, Mono>,
}

/// What happens in the course of one pass; step numbers count from 0.
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
    /// The pass begins with the object as it was so many versions ago, if the cache can be that far behind.
    pub stale: usize,
}

/// What others do.
#[derive(Clone, Debug)]
pub enum Act {
    Wish(Wish),
    Poke,
    Delete,
    Strip,
    StrangerDeletes,
    StrangerMakes(unkey_operator::domain::Content),
    StrangerWrites(unkey_operator::domain::Content),
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    NoObject,
    Done,
    Wait(Wake),
    Cut,
    Circles,
}

pub struct Sim {
    pub now: u64,
    pub thing: Option<Thing>,
    pub unkey: Unkey,
    pub process: Process,
    pub policy: Policy,
    pub role: Role,
    pub heirs: bool,
    /// Someone takes the object away by hand right before its first status is written.
    pub vanish_before_status: bool,
    /// The pass ends with an error instead of a write to Kubernetes, once so many were made.
    pub kube_fails_after: Option<usize>,
    /// Every request that was made.
    pub trace: Vec<String>,
    pub notes: Vec<Note>,
    past: Vec<Thing>,
    born: u32,
    version: u64,
    pokes: u32,
}

impl Sim {
    pub fn new() -> Self {
        Self {
            // A process that has been up for a while: its reads are settled unless a write forbids it.
            now: 10 * WINDOW,
            thing: None,
            unkey: Unkey::new(),
            process: Process::default(),
            policy: Policy {
                adoption: AdoptionPolicy::IfLossless,
                deletion: DeletionPolicy::Delete,
                window: WINDOW,
                attempt: DEADLINE,
                credential: Some("0123456789ab".to_owned()),
            },
            role: Role::Owner,
            heirs: false,
            vanish_before_status: false,
            kube_fails_after: None,
            trace: Vec::new(),
            notes: Vec::new(),
            past: Vec::new(),
            born: 0,
            version: 0,
            pokes: 0,
        }
    }

    /// A new object, if there is none.
    pub fn apply(&mut self, wish: Wish) {
        if self.thing.is_some() {
            return self.act(&Act::Wish(wish));
        }
        self.born += 1;
        self.past.clear();
        self.put(Thing {
            uid: Uid::new(&format!("uid-{}", self.born)),
            version: 0,
            at: 0,
            generation: 1,
            wish,
            deleting: false,
            finalizer: false,
            claim: None,
            poke: None,
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
            _ => {}
        }
        let Some(mut thing) = self.thing.clone() else { return };
        match act {
            Act::Wish(wish) if thing.wish != *wish => {
                thing.wish = wish.clone();
                thing.generation += 1;
            }
            Act::Poke => {
                self.pokes += 1;
                thing.poke = Some(format!("poke-{}", self.pokes));
            }
            Act::Delete if !thing.finalizer => {
                self.thing = None;
                return;
            }
            Act::Delete if !thing.deleting => {
                thing.deleting = true;
                thing.generation += 1;
            }
            Act::Strip => {
                thing.finalizer = false;
                thing.claim = None;
                thing.tampered = true;
                if thing.deleting {
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

    pub fn sleep(&mut self, ms: u64) {
        self.now += ms;
        self.unkey.advance(self.now);
    }

    pub fn mono(&self) -> Mono {
        Mono(self.now - self.process.since)
    }

    /// One reconcile without mishaps.
    pub fn pass(&mut self) -> End {
        self.pass_with(&Script::default())
    }

    /// Passes, sleeping when told to, until nothing is left to do but to wait for a change.
    pub fn settle(&mut self) -> End {
        for _ in 0..60 {
            match self.pass() {
                End::Wait(Wake::At(at)) => self.sleep(at.0.saturating_sub(self.mono().0).max(1)),
                end => return end,
            }
        }
        panic!("never settles:\n{}", self.trace.join("\n"));
    }

    pub fn taken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trace)
    }

    pub fn record(&self) -> &Record {
        &self.thing.as_ref().expect("an object").status.as_ref().expect("a status").1
    }

    pub fn ready(&self) -> bool {
        self.thing
            .as_ref()
            .is_some_and(|t| t.status.as_ref().is_some_and(|(_, r)| r.shown.ready && r.generation == t.generation))
    }

    pub fn visits(&mut self) -> &mut Visits {
        let uid = self.thing.as_ref().expect("an object").uid.clone();
        self.process.visits.entry(uid).or_default()
    }

    pub fn pass_with(&mut self, script: &Script) -> End {
        begin_pass(&mut self.process.known);
        let Some(newest) = self.thing.clone() else { return End::NoObject };
        let mut thing = newest;
        for older in self.past.iter().rev().take(script.stale) {
            if self.now - thing.at >= BEHIND {
                break;
            }
            thing = older.clone();
        }
        let (mut fresh, mut gone) = (false, false);
        let mut fates = script.fates.iter();
        for n in 0..MANY {
            let object = self.view(&thing, fresh, gone);
            let mono = self.mono();
            let visits = self.process.visits.entry(thing.uid.clone()).or_default();
            observe(&object, &mut self.process.known, visits, &self.policy, mono);
            let situation = Situation {
                object: &object,
                role: self.role,
                known: &self.process.known,
                visits,
                policy: &self.policy,
                now: mono,
            };
            let step = decide(&situation);
            assert_eq!(step, decide(&situation), "decide is a function");
            let (crash, drop) = (script.crash_after == Some(n), script.drop_after == Some(n));
            if let Some((_, act)) = script.meanwhile.as_ref().filter(|(at, _)| *at == n) {
                self.act(act);
            }
            match step {
                Step::Wait(wake) => return End::Wait(wake),
                Step::Done => return End::Done,
                Step::Kube(step) => {
                    match &mut self.kube_fails_after {
                        Some(0) => {
                            self.kube_fails_after = None;
                            return End::Cut;
                        }
                        Some(left) => *left -= 1,
                        None => {}
                    }
                    let done = self.kube(&step, &object, &thing);
                    if crash {
                        self.restart();
                    }
                    if crash || drop {
                        return End::Cut;
                    }
                    if let (KubeStep::Claim(_), Some(_)) = (&step, &done) {
                        claimed(&object, self.process.visits.entry(thing.uid.clone()).or_default());
                    }
                    match (&step, done) {
                        (KubeStep::Release(_), Some(None)) => return End::Done,
                        (_, Some(Some(after))) => thing = after,
                        // Refused by a test in the patch, or a refresh: look again.
                        _ => match self.thing.clone().filter(|newest| newest.uid == thing.uid) {
                            Some(newest) => thing = newest,
                            None => gone = true,
                        },
                    }
                    fresh = true;
                }
                Step::Call(call) => {
                    fresh = false;
                    self.check_call(&call, &object);
                    let begun = self.mono();
                    let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                    begin(&object, &call, &mut self.process.known, visits, begun.after(DEADLINE));
                    let fate = fates.next().cloned().unwrap_or(Fate::Fine);
                    let (reply, took) = self.unkey.call(self.now, &thing.uid, &call, &fate);
                    self.trace.push(name(&call).to_owned());
                    if crash {
                        self.restart();
                    }
                    if crash || drop {
                        return End::Cut;
                    }
                    self.sleep(took);
                    let telling = Telling { begun, now: self.mono(), dice: 30_000 };
                    let visits = self.process.visits.entry(thing.uid.clone()).or_default();
                    let note = learn(&object, &call, &reply, &mut self.process.known, visits, &self.policy, telling);
                    self.notes.extend(note);
                }
            }
        }
        End::Circles
    }

    /// `None`: refused. `Some(None)`: done and the object is gone.
    #[allow(clippy::option_option)] // three outcomes, named above
    fn kube(&mut self, step: &KubeStep, object: &Object, computed_from: &Thing) -> Option<Option<Thing>> {
        if self.vanish_before_status && matches!(step, KubeStep::Status { .. }) {
            self.thing = None;
        }
        let same_life = self.thing.clone().filter(|t| t.uid == object.guard.uid);
        if let KubeStep::Refresh = step {
            self.trace.push("Refresh".to_owned());
            return None;
        }
        let mut thing = same_life?;
        let same_version = thing.version == computed_from.version;
        match step {
            KubeStep::Refresh => return None,
            KubeStep::Claim(claim) => {
                if !same_version {
                    return None;
                }
                self.check_claim(claim, &thing);
                self.trace.push("Claim".to_owned());
                thing.finalizer = true;
                thing.claim = Some(claim.render(&thing.uid));
            }
            KubeStep::Status { report, notes } => {
                let guard = |t: &Thing| {
                    let record = t.status.as_ref().map(|(_, record)| record.clone());
                    record.map(|r| (r.generation, r.held.map(|h| h.identity)))
                };
                if guard(&thing) != guard(computed_from) {
                    return None;
                }
                self.check_status(report, object);
                self.trace.push(format!("Status {}", report.verdict.reason()));
                self.notes.extend(notes.iter().cloned());
                thing.status = Some((thing.uid.clone(), shown(report, &object.key)));
            }
            KubeStep::Release(because) => {
                if !same_version {
                    return None;
                }
                self.check_release(because, &thing);
                self.trace.push(format!("Release {}", freed(because)));
                thing.finalizer = false;
                thing.claim = None;
                if thing.deleting {
                    self.thing = None;
                    return Some(None);
                }
            }
        }
        self.put(thing);
        Some(self.thing.clone())
    }

    fn put(&mut self, mut thing: Thing) {
        self.version += 1;
        thing.version = self.version;
        thing.at = self.now;
        self.past.extend(self.thing.take());
        self.unkey.lives = Some(thing.uid.clone());
        self.thing = Some(thing);
    }

    pub fn view(&mut self, thing: &Thing, fresh: bool, gone: bool) -> Object {
        let mono = self.mono();
        let recorded = match &thing.status {
            None => Recorded::Nothing,
            Some((uid, _)) if *uid != thing.uid => Recorded::Restored,
            Some((_, record)) => Recorded::Own(Box::new(record.clone())),
        };
        let handled = recorded.own().and_then(|record| record.handled_poke.clone());
        let poke = thing.poke.clone().filter(|poke| Some(poke) != handled.as_ref()).map(|value| {
            let since = *self.process.pokes.entry(value.clone()).or_insert(mono);
            Poke { value, since }
        });
        let phase = match (gone, thing.deleting) {
            (true, _) => Phase::Gone { heirs: self.heirs },
            (_, true) => Phase::Deleting,
            _ => Phase::Live,
        };
        Object {
            key: ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() },
            guard: Guard { uid: thing.uid.clone(), resource_version: thing.version.to_string() },
            phase,
            fresh,
            finalizer: thing.finalizer,
            mark: Mark::parse(thing.claim.as_deref(), &thing.uid),
            generation: thing.generation,
            poke,
            external_id: Some(external_id()),
            controls: thing.wish.controls,
            spec: if thing.wish.invalid {
                Err(SpecError::MetaTooDeep { levels: 101 })
            } else {
                Ok(desired(&thing.wish))
            },
            recorded,
        }
    }

    // What must always hold.

    fn check_call(&self, call: &Call, object: &Object) {
        if matches!(call, Call::Read(_)) {
            return;
        }
        let at = || format!("{call:?}\n{}", self.trace.join("\n"));
        assert!(object.fresh, "R11: written upstream without a look: {}", at());
        assert!(!object.controls.suspend || matches!(object.phase, Phase::Gone { .. }), "R14: suspended: {}", at());
        assert_eq!(self.role, Role::Owner, "R8: a loser calls: {}", at());
        match call {
            Call::Read(_) => {}
            Call::Create(wanted) => {
                assert_eq!(object.phase, Phase::Live, "created for a leaving object: {}", at());
                assert!(object.finalizer, "R1: created without finalizer: {}", at());
                let claim = object.mark.own().expect("R1: created without a claim");
                assert_eq!(claim.hash, *wanted.content_hash(), "R1: created what is not claimed: {}", at());
            }
            Call::Update { to, .. } => {
                assert_eq!(object.phase, Phase::Live, "updated for a leaving object: {}", at());
                let recorded = object.held().map(|held| &held.identity);
                assert_eq!(recorded, Some(to), "R3: updated what is not recorded: {}", at());
            }
            Call::Delete(_) => assert_ne!(object.phase, Phase::Live, "deleted for a live object: {}", at()),
        }
    }

    fn check_claim(&self, claim: &Claim, thing: &Thing) {
        assert_eq!(self.role, Role::Owner, "R8: a loser claims");
        assert!(!thing.wish.controls.suspend, "R14: claimed while suspended");
        assert!(!thing.deleting, "claimed while leaving: {claim:?}");
    }

    fn check_status(&self, report: &Report, object: &Object) {
        let at = || format!("{report:?}\n{}", self.trace.join("\n"));
        assert!(!matches!(object.phase, Phase::Gone { .. }), "status of a gone object: {}", at());
        if report.verdict != Verdict::Synced {
            return;
        }
        assert!(report.held.is_some(), "ready without an identity: {}", at());
        assert!(object.finalizer && object.mark.own().is_some(), "ready unprotected: {}", at());
        let tampered = self.thing.as_ref().is_some_and(|thing| thing.tampered);
        let under_way = self.unkey.under_way(&object.guard.uid, false);
        assert!(tampered || !under_way, "ready with a write on its way: {}", at());
        let desired = object.spec.as_ref().expect("ready with an invalid spec");
        // Unless someone else was at it, Unkey holds it.
        if let Some(live) = self.unkey.live.as_ref().filter(|live| !self.unkey.touched && same(live, report)) {
            let holds = desired.managed_of(&live.content);
            assert!(desired.missing_from(&holds).is_none(), "ready, but Unkey holds {live:?}: {}", at());
        }
    }

    fn check_release(&self, because: &Freed, thing: &Thing) {
        let at = || format!("{because:?}\n{}", self.trace.join("\n"));
        if *because == Freed::Orphaned {
            let policy = thing.wish.controls.deletion.unwrap_or(self.policy.deletion);
            assert_eq!(policy, DeletionPolicy::Orphan, "orphaned against the policy: {}", at());
            return;
        }
        assert!(
            !thing.deleting
                || !thing.wish.controls.suspend
                || matches!(because, Freed::NeverSent | Freed::NeverClaimed | Freed::NotOurs),
            "R7: suspended: {}",
            at()
        );
        if thing.tampered {
            return;
        }
        assert!(!self.unkey.under_way(&thing.uid, true), "released with a create on its way: {}", at());
        let Some(live) = &self.unkey.live else { return };
        let own = live.maker == Maker::Object(thing.uid.clone());
        // An empty identity under `Never`, and one that a stranger has rewritten, cannot be told to be ours.
        let told = !live.content.is_empty() && !self.unkey.touched;
        assert!(!own || !told, "released while {live:?} lives: {}", at());
    }
}

pub fn desired(wish: &Wish) -> Desired {
    Desired::new(external_id(), wish.meta.clone(), wish.limits.clone())
}

/// Meta and rate limits from the text of a spec, as users write them.
pub fn wish(spec: &str) -> Wish {
    let spec = Spec::read(&format!(r#"{{"externalId":"{}",{spec}}}"#, crate::world::EXTERNAL_ID));
    let desired = spec.desired.expect("a valid spec");
    Wish { meta: desired.meta, limits: desired.limits, controls: spec.controls, invalid: false }
}

pub fn content(spec: &str) -> unkey_operator::domain::Content {
    let wish = wish(spec);
    unkey_operator::domain::Content { meta: wish.meta.unwrap_or_default(), limits: wish.limits.unwrap_or_default() }
}

fn same(live: &Identity, report: &Report) -> bool {
    report.held.as_ref().is_some_and(|held| held.identity.id().as_str() == live.id)
}

fn shown(report: &Report, key: &ObjectKey) -> Record {
    Record {
        generation: report.generation,
        held: report.held.clone(),
        deletion: Some(report.deletion),
        handled_poke: report.handled_poke.clone(),
        shown: Shown {
            ready: report.verdict.is_ready(),
            stalled: report.verdict.is_stalled(),
            suspended: report.verdict == Verdict::Suspended,
            reason: Some(report.verdict.reason()),
            message: report.message(key),
        },
    }
}

fn name(call: &Call) -> &'static str {
    match call {
        Call::Read(_) => "Read",
        Call::Create(_) => "Create",
        Call::Update { .. } => "Update",
        Call::Delete(_) => "Delete",
    }
}

fn freed(because: &Freed) -> &'static str {
    match because {
        Freed::NeverClaimed => "NeverClaimed",
        Freed::NeverSent => "NeverSent",
        Freed::Orphaned => "Orphaned",
        Freed::NotOurs => "NotOurs",
        Freed::Deleted(_) => "Deleted",
        Freed::Gone(_) => "Gone",
    }
}
