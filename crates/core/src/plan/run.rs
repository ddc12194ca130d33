//! Who is looked at when. Time is that of the listing; whoever waits is looked at at once when nobody else has anything to do before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::change::{Change, Trail};
use super::unkey::Unkey;
use super::world::{Listed, World};
use crate::claim::ClaimState;
use crate::claims::{Claims, Entry, Source, Taken};
use crate::deletions::Deletions;
use crate::ids::{ExternalId, IdentityId, Mono, ObjectKey};
use crate::knowledge::Knowledge;
use crate::object::{Object, ReconcileRequest};
use crate::object_state::{ObjectState, StatesAtRest};
use crate::ownership::Claimant;
use crate::policy::Policy;
use crate::prior_status::PriorStatus;
use crate::sync_object::ended;
use crate::workspace::{Look, Workspace};
use crate::writes::Evidence;

/// An object is looked at so often at most; more means that it never comes to rest.
const MAX_SESSIONS: u32 = 64;
/// What waits for longer than so many windows waits for a retry or for a person.
const HORIZON_WINDOWS: u32 = 8;

/// What the operator would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What becomes of each object, in the order of the first writes; those without a write come last, as they were listed.
    pub changes: Vec<Change>,
    /// Identities whose externalId no object names, in the order of externalIds.
    pub unmanaged: Vec<(ExternalId, IdentityId)>,
    /// So many recorded identities are missing that the operator takes none of them for gone (R15); 0: it does.
    pub withheld: usize,
}

/// What the operator would do, all of it as it would stand once the last object is at rest.
pub fn plan<L: Listed>(world: World<L>) -> Plan {
    let mut run = Run::new(world);
    run.prove_workspace();
    for at in 0..run.objects.len() {
        run.hand(at, run.now);
    }
    let scans_at = run.now.after(run.policy.window.saturating_mul(2));
    run.works_until(scans_at);
    let withheld = run.scans();
    run.works_until(scans_at.after(run.horizon()));
    run.told(withheld)
}

/// One object.
pub(super) struct Planned<L> {
    pub listed: L,
    /// What was written to it; `None`: nothing.
    pub written: Option<Box<Written>>,
    pub state: Arc<ObjectState>,
    pub trail: Trail,
    pub gone: bool,
    /// It is looked at then.
    due: Option<Mono>,
    sessions: u32,
}

/// What was written to an object: all that a plan changes of it.
pub(super) struct Written {
    finalizer: bool,
    claim: ClaimState,
    recorded: PriorStatus,
    reconcile_request: Option<ReconcileRequest>,
}

impl Written {
    pub fn of(object: &Object) -> Self {
        let Object { finalizer, claim, recorded, reconcile_request, .. } = object;
        Self {
            finalizer: *finalizer,
            claim: claim.clone(),
            recorded: recorded.clone(),
            reconcile_request: reconcile_request.clone(),
        }
    }
}

impl<L: Listed> Planned<L> {
    /// The object as it stands; `begun`: when it was listed.
    fn object(&self, begun: Mono) -> Object {
        let object = self.listed.object(begun);
        match self.written.as_deref() {
            None => object,
            Some(Written { finalizer, claim, recorded, reconcile_request }) => Object {
                finalizer: *finalizer,
                claim: claim.clone(),
                recorded: recorded.clone(),
                reconcile_request: reconcile_request.clone(),
                ..object
            },
        }
    }
}

/// All that name one externalId, and what is known of it.
#[derive(Default)]
pub(super) struct Named {
    pub claims: Claims<usize>,
    pub known: Knowledge,
}

pub(super) struct Run<L> {
    pub policy: Arc<Policy>,
    pub now: Mono,
    pub objects: Vec<Planned<L>>,
    /// In a box each: a map is up to three times as large as what is in it, for the moment at which it grows.
    pub named: HashMap<ExternalId, Box<Named>>,
    pub workspace: Workspace,
    pub deletions: Deletions,
    pub unkey: Unkey,
    pub at_rest: StatesAtRest,
    pub an_hour_ahead: String,
    /// Objects so far that have written something to Unkey.
    pub wrote: usize,
    begun: Mono,
    leaving: HashMap<ObjectKey, usize>,
    /// In the order in which they were handed over, of those that are due at one moment.
    queue: BinaryHeap<Reverse<(Mono, u64, usize)>>,
    handed: u64,
}

impl<L: Listed> Run<L> {
    fn new(world: World<L>) -> Self {
        let World { objects, identities, policy, deletions, accepts_workspace_change, an_hour_ahead } = world;
        // As a process that has been up for a while: its reads are settled unless a write forbids it.
        let now = Mono::ZERO.after(policy.window.saturating_add(policy.attempt).saturating_mul(10));
        let unseen = Arc::default();
        let planned = |listed| Planned {
            listed,
            written: None,
            state: Arc::clone(&unseen),
            trail: Trail::default(),
            gone: false,
            due: None,
            sessions: 0,
        };
        let mut run = Self {
            now,
            begun: now,
            objects: objects.into_iter().map(planned).collect(),
            named: HashMap::new(),
            workspace: Workspace::new(policy.credential.clone(), accepts_workspace_change),
            deletions: Deletions::new(deletions),
            unkey: Unkey::new(identities),
            at_rest: StatesAtRest::default(),
            an_hour_ahead,
            policy: Arc::new(policy),
            wrote: 0,
            leaving: HashMap::new(),
            queue: BinaryHeap::new(),
            handed: 0,
        };
        for at in 0..run.objects.len() {
            let object = run.object(at);
            if object.is_leaving() {
                run.leaving.insert(object.key.clone(), at);
            }
            run.shown(at, &object, Source::Watch);
        }
        run
    }

    fn horizon(&self) -> Duration {
        let wait = self.policy.window.saturating_add(self.policy.attempt).saturating_mul(HORIZON_WINDOWS);
        wait.saturating_add(self.deletions.limits().hold)
    }

    /// The object as it stands.
    pub fn object(&self, at: usize) -> Object {
        let mut object = self.objects[at].object(self.begun);
        object.leaving_for = object.leaving_for.map(|leaving| leaving.saturating_add(self.begun.until(self.now)));
        object
    }

    /// It is looked at at `when`, or before if that was planned.
    pub fn hand(&mut self, at: usize, when: Mono) {
        let planned = &mut self.objects[at];
        if planned.gone || planned.due.is_some_and(|due| due <= when) {
            return;
        }
        if planned.sessions >= MAX_SESSIONS {
            planned.trail.restless = true;
            return;
        }
        planned.due = Some(when);
        self.handed += 1;
        self.queue.push(Reverse((when, self.handed, at)));
    }

    fn works_until(&mut self, end: Mono) {
        while let Some(Reverse((when, _, at))) = self.queue.peek().copied().filter(|Reverse((when, ..))| *when <= end) {
            self.queue.pop();
            if self.objects[at].due != Some(when) {
                // It was looked at before.
                continue;
            }
            self.objects[at].due = None;
            self.objects[at].sessions += 1;
            self.now = self.now.max(when);
            self.reconcile(at);
            for key in self.deletions.woken() {
                if let Some(at) = self.leaving.get(&key).copied() {
                    self.hand(at, self.now);
                }
            }
        }
        self.now = self.now.max(end);
    }

    /// Takes in what an object says for its right, and has the others of its externalId looked at if that has changed.
    pub fn shown(&mut self, at: usize, object: &Object, source: Source) {
        let listed = &self.objects[at].listed;
        let claimant = Claimant::of(object, listed.born(), &self.policy);
        let has = owns(&claimant);
        let since = Evidence::Since(self.workspace.since());
        let named = self.named.entry(listed.external_id().clone()).or_insert_with(|| {
            let known = Knowledge { evidence_from: since, ..Knowledge::default() };
            Box::new(Named { known, ..Named::default() })
        });
        let had = named.claims.get_mut(&claimant.uid).is_some_and(|known| owns(&known.claimant));
        let entry = Entry { claimant, version: 0, extra: at };
        let taken = named.claims.put(entry, source, &mut self.workspace, |_, _| {});
        self.deletions.moves(&object.key.namespace, has, had, self.now);
        if source == Source::Reply && taken == Taken::Changed {
            self.wakes_others(at);
        }
    }

    /// An object is gone.
    pub fn leaves(&mut self, at: usize, object: &Object) {
        let (uid, now) = (&object.guard.uid, self.now);
        let planned = &mut self.objects[at];
        planned.gone = true;
        let Some(named) = self.named.get_mut(planned.listed.external_id()) else { return };
        let had = named.claims.get_mut(uid).is_some_and(|known| owns(&known.claimant));
        let recorded = object.held().map(|held| held.identity.id());
        ended(uid, recorded, &mut named.known, &planned.state, now);
        named.claims.remove(uid, &mut self.workspace);
        self.deletions.moves(&object.key.namespace, false, had, now);
        self.deletions.withdraws(&object.key.namespace, uid, false, now);
        self.wakes_others(at);
    }

    fn wakes_others(&mut self, at: usize) {
        let Some(named) = self.named.get(self.objects[at].listed.external_id()) else { return };
        let others: Vec<usize> = named.claims.entries().iter().map(|it| it.extra).filter(|it| *it != at).collect();
        for other in others {
            self.hand(other, self.now);
        }
    }

    /// Looks for identities that are recorded under another root key (R15): in the listing, which shows all that there are.
    fn prove_workspace(&mut self) {
        let current = self.policy.credential.clone();
        for mark in self.workspace.unproven() {
            let is_there = self.named.iter().any(|(external_id, named)| {
                let mut recorded =
                    named.claims.entries().iter().filter(|it| it.claimant.mark().as_ref() == Some(&mark));
                let id = self.unkey.id(external_id);
                recorded.any(|it| it.claimant.recorded.as_ref() == id)
            });
            let look = if is_there { Look::Hit } else { Look::Missed { begun: self.now } };
            self.workspace.looked(&current, &mark, &look, self.policy.window);
        }
    }

    fn told(self, withheld: usize) -> Plan {
        let Self { named, unkey, objects, begun, .. } = self;
        let nobodys = unkey.all().filter(|(external_id, _)| !named.contains_key(*external_id));
        let mut unmanaged: Vec<_> = nobodys.map(|(external_id, id)| (external_id.clone(), id.clone())).collect();
        unmanaged.sort_unstable();
        // What is told needs room, and these are not needed for it.
        drop((named, unkey));
        let mut changes: Vec<(usize, Change)> = objects.into_iter().map(|planned| told(planned, begun)).collect();
        changes.sort_by_key(|(order, _)| *order);
        Plan { changes: changes.into_iter().map(|(_, change)| change).collect(), unmanaged, withheld }
    }
}

fn told<L: Listed>(planned: Planned<L>, begun: Mono) -> (usize, Change) {
    let (listed, object) = (planned.listed.object(begun), planned.object(begun));
    let order = planned.trail.order.unwrap_or(usize::MAX);
    let change = planned.trail.change(&listed, &object);
    (order, change)
}

/// It owns an identity, which its deletion would delete.
fn owns(claimant: &Claimant) -> bool {
    claimant.recorded.is_some() && !claimant.observes
}
