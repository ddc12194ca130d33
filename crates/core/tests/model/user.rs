//! What everybody else does: users of Kubernetes, other clients of Unkey, time.

use std::sync::Arc;

use unkey_operator_api::{DeletionPolicy, Reason};
use unkey_operator_core::{Cause, Claim, ContentHash, Effect, Fields, Operation, OwnedIdentity, Record, Shown};

use crate::configs::Config;
use crate::kube::Thing;
use crate::operator::{Operator, Target, Waiting};
use crate::seeded::Seeded;
use crate::state::State;
use crate::unkey::{ATTEMPT, Identity, Pending, Right, WINDOW, failed};
use crate::words::{Stored, Wish, confirmed};

/// A uid of another cluster, in what a backup brought along.
pub const ELSEWHERE: u8 = 31;

/// Another client of Unkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Makes an identity, as keys.createKey does if it is empty.
    Makes(Stored),
    Deletes,
    Writes(Stored),
}

/// A user of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Create(Wish),
    /// Created with the finalizer, claim and status of another cluster's object, as a restore does.
    Restore(Wish),
    Edit(Wish),
    RequestReconcile,
    Delete,
    /// Takes finalizer and claim off, as `kubectl replace` of the user's manifest does.
    Strip,
    /// Removes the CustomResourceDefinition, and so every object.
    RemoveType,
}

impl State {
    pub fn acts(&self, config: &Config, slot: usize) -> Vec<Act> {
        let Some(thing) = &self.kube.slots[slot] else {
            let restores = config.wishes.iter().filter(|_| config.may.restore).map(|wish| Act::Restore(*wish));
            let creates = config.wishes.iter().filter(|_| config.may.create).map(|wish| Act::Create(*wish));
            return creates.chain(restores).collect();
        };
        let mut acts = Vec::new();
        if thing.is_deleting() {
            // The policies of an object that is leaving can be changed still; its content matters no more.
            let open = |wish: &&Wish| wish.controls != thing.wish.controls && wish.fill == thing.wish.fill;
            acts.extend(config.wishes.iter().filter(open).map(|wish| Act::Edit(*wish)));
        } else {
            acts.extend(config.wishes.iter().filter(|wish| **wish != thing.wish).map(|wish| Act::Edit(*wish)));
            acts.extend(config.may.delete.then_some(Act::Delete));
            acts.extend(config.may.reconcile_request.then_some(Act::RequestReconcile));
        }
        acts.extend((config.guarded && !self.going).then_some(Act::RemoveType));
        acts.extend((config.may.strip && thing.finalizer).then_some(Act::Strip));
        acts
    }

    pub fn act(&mut self, config: &Config, slot: usize, act: Act) {
        let Some(before) = self.kube.slots[slot].clone() else {
            match act {
                Act::Create(wish) => self.kube.create(slot, wish),
                Act::Restore(wish) => self.restore(slot, wish),
                _ => {}
            }
            return;
        };
        let mut thing = Thing::clone(&before);
        self.supersede(config, slot, &before);
        match act {
            Act::Create(_) | Act::Restore(_) => return,
            Act::RemoveType => {
                self.going = true;
                for slot in 0..2 {
                    self.act(config, slot, Act::Delete);
                }
                return;
            }
            Act::Delete if thing.is_deleting() => return,
            Act::Edit(wish) => {
                thing.wish = wish;
                thing.generation += 1;
            }
            Act::RequestReconcile => {
                self.kube.reconcile_requests += 1;
                thing.reconcile_request = Some(self.kube.reconcile_requests);
            }
            Act::Delete if !thing.finalizer => {
                self.kube.slots[slot] = None;
                // What is only observed stays in Unkey.
                if thing.wish.observes() {
                    self.excuse(thing.uid);
                }
                // Nothing of ours was on it any more: whatever is left is left by the hand that took it off.
                return;
            }
            Act::Delete => {
                thing.deleted = Some(self.now);
                thing.generation += 1;
            }
            Act::Strip => {
                thing.finalizer = false;
                thing.claim = None;
                thing.tampered = true;
                self.excuse(thing.uid);
                if thing.is_deleting() {
                    self.kube.slots[slot] = None;
                    return;
                }
            }
        }
        self.kube.put(slot, thing);
    }

    fn restore(&mut self, slot: usize, wish: Wish) {
        self.kube.create(slot, wish);
        let Some(thing) = self.kube.slots[slot].clone() else { return };
        let mut thing = Thing::clone(&thing);
        thing.finalizer = true;
        let hash: ContentHash = wish.fill.desired().content_hash().clone();
        thing.claim = Some((ELSEWHERE, Claim { hash, given_up: None }));
        if let Some(live) = self.unkey.live {
            let desired = wish.fill.desired();
            let held = OwnedIdentity {
                identity: confirmed(live.id),
                origin: None,
                fields: Fields::accepted(desired.managed_of(live.stored.content())),
                credential: None,
            };
            let shown = Shown { ready: true, reason: Some(Reason::Synced), ..Shown::default() };
            let record = Record {
                generation: 1,
                held: Some(held),
                observed: None,
                deletion: Some(DeletionPolicy::Delete),
                handled_request: None,
                shown,
            };
            thing.status = Some((ELSEWHERE, record));
        }
        self.kube.put(slot, thing);
    }

    pub fn strangers(&self, config: &Config) -> Vec<Stranger> {
        let can = |stranger: &&Stranger| match (stranger, self.unkey.live) {
            (Stranger::Makes(_), live) => live.is_none(),
            (Stranger::Deletes, live) => live.is_some(),
            (Stranger::Writes(stored), live) => live.is_some_and(|live| live.stored != *stored),
        };
        config.strangers.iter().filter(can).copied().collect()
    }

    pub fn intrude(&mut self, config: &Config, stranger: Stranger) {
        self.disturbed = true;
        match (stranger, self.unkey.live) {
            (Stranger::Makes(stored), None) => {
                self.unkey.make(self.now, config.lag, stored, None);
            }
            (Stranger::Deletes, Some(_)) => self.unkey.put(self.now, config.lag, None),
            (Stranger::Writes(stored), Some(live)) => {
                self.unkey.put(self.now, config.lag, Some(Identity { stored, touched: true, ..live }));
            }
            _ => {}
        }
    }

    /// A request that was lost lands after all. The server's own look-up goes to the replica that shows the `view`th.
    pub fn land(&mut self, config: &Config, at: usize, view: usize) {
        let pending = self.unkey.pending.remove(at);
        self.disturbed |= self.kube.find(pending.uid).is_none();
        let seen = self.unkey.visible(self.now).get(view).copied().flatten();
        self.unkey.write(self.now, config.lag, pending.uid, pending.wire, seen);
    }

    /// One look for a proof that the root key leads to the workspace of before, for each earlier key.
    pub fn look(&mut self, config: &Config, at: usize, view: usize) {
        let (now, key) = (self.now, self.ops[at].key);
        let shown = self.unkey.visible(now).get(view).copied().flatten().filter(|_| config.leads_here(key));
        self.calls += 1;
        let op = Arc::make_mut(&mut self.ops[at]);
        for mark in op.workspace.unproven() {
            op.look_for_proof(now, &mark, shown);
        }
    }

    /// A process waits for a witness that a look can give it: one that begins after its read was answered.
    pub fn may_look_for_witness(&self, at: usize) -> bool {
        let (op, now) = (&self.ops[at], self.now);
        op.known.lacks_witness() && op.known.unwitnessed.is_some_and(|ended| ended < op.mono(now))
    }

    /// A recorded identity or one of the list is asked for; where nothing is shown, the permission to create stands in.
    pub fn look_for_witness(&mut self, config: &Config, at: usize) {
        let there = !config.alone || self.unkey.live.is_some();
        let read = Cause::PermissionDenied(Operation::Read);
        let vain = match self.lost {
            Some(Right::Get) if there => Some(read),
            Some(Right::All | Right::Blind) if there && !config.masks => Some(read),
            Some(Right::All) => Some(Cause::Unwitnessed),
            Some(_) | None => None,
        };
        // The other identity of the workspace is recorded by an object that stays, and should show.
        let stands_in = self.lost == Some(Right::Blind) && there && vain.is_none();
        self.calls += 1;
        let now = self.now;
        let op = Arc::make_mut(&mut self.ops[at]);
        let (mark, now) = (Operator::policy(op.key).credential.clone(), op.mono(now));
        match vain {
            None if stands_in && config.seeded != Some(Seeded::StandsInForAll) => {
                op.workspace.stood_in(&mark, now, now);
            }
            None => op.workspace.showed(&mark, now),
            Some(cause) => op.workspace.showed_nothing(&mark, now, cause),
        }
    }

    /// A permission that comes back between a read and the look for its witness is not promised to be noticed (docs/contributing/rules.md).
    pub fn may_regain(&self) -> bool {
        let waits = |op: &Arc<Operator>| {
            let ended = op.known.unwitnessed.filter(|_| op.known.lacks_witness());
            ended.is_some_and(|ended| !op.workspace.witness().of(true).was_vain_since(ended))
        };
        self.lost.is_some() && !self.ops.iter().any(waits)
    }

    /// The root key gets its permission back. Who waits for a witness has looked in vain before.
    pub fn regain(&mut self, config: &Config) {
        for at in 0..self.ops.len() {
            if !self.may_regain() && self.lost.is_some() {
                self.look_for_witness(config, at);
            }
        }
        self.lost = None;
    }

    /// A tick passes. No cache is behind for a whole window.
    ///
    /// What has until then to land lands first of all or never, by `landing`'s bits: a process that counts its own time from
    /// after the sending is right that nothing lands any more once an attempt's time has passed.
    pub fn tick(&mut self, config: &Config, landing: u8) {
        self.now += 1;
        let now = self.now;
        let (due, rest) = self.unkey.pending.drain(..).partition(|pending| pending.deadline <= now);
        self.unkey.pending = rest;
        let due: Vec<Pending> = due;
        for pending in due.iter().enumerate().filter(|(at, _)| landing & (1 << at) != 0).map(|(_, pending)| pending) {
            // What an earlier life of the object left under way is a stranger's to this one.
            self.disturbed |= self.kube.find(pending.uid).is_none();
            self.unkey.write(now, config.lag, pending.uid, pending.wire, self.unkey.live);
        }
        self.unkey.tick(self.now);
        let now = self.now;
        self.past.retain(|(at, ..)| now - at < WINDOW);
        for at in 0..self.ops.len() {
            self.looks_age(at);
            self.time_out(config, at);
            self.catch_up(config, at);
            for slot in 0..2 {
                // How long a namespace stays unknown has no bound.
                if self.is_behind(at, slot) && self.ops[at].blind != Some(slot) {
                    let op = Arc::make_mut(&mut self.ops[at]);
                    op.behind[slot] += 1;
                    if u32::from(op.behind[slot]) >= WINDOW {
                        op.deliver(slot, &self.kube, self.now, config.seeded);
                    }
                }
            }
        }
    }

    /// A process whose first sight was behind is shown what is, and reconciles it, before a window has passed since its start: what it
    /// sees later it takes for news (docs/contributing/rules.md, not promised).
    fn catch_up(&mut self, config: &Config, at: usize) {
        if !self.ops[at].stale || self.now - self.ops[at].since != WINDOW - 1 {
            return;
        }
        let mut op = Operator::clone(&self.ops[at]);
        op.stale = false;
        for slot in 0..2 {
            op.deliver(slot, &self.kube, self.now, config.seeded);
            if op.begin(Target::Object(slot), config.crd()) {
                self.next(config, &mut op);
                op.end_reconcile(false, self.now);
            }
        }
        self.ops[at] = Arc::new(op);
    }

    /// What was seen in a tick before is no fresh look.
    fn looks_age(&mut self, at: usize) {
        if self.ops[at].reconcile.is_some()
            && let Some(reconcile) = &mut Arc::make_mut(&mut self.ops[at]).reconcile
        {
            reconcile.saw = false;
        }
    }

    /// Nobody waits for an answer longer than an attempt lasts.
    fn time_out(&mut self, config: &Config, at: usize) {
        let due = |waiting: &Waiting| self.now - waiting.begun > ATTEMPT;
        if self.ops[at].reconcile.as_ref().and_then(|reconcile| reconcile.waiting.as_deref()).is_some_and(due) {
            let op = Arc::make_mut(&mut self.ops[at]);
            if let Some(waiting) = op.reconcile.as_mut().and_then(|reconcile| reconcile.waiting.as_mut()) {
                waiting.reply = failed(Effect::Unknown, Cause::Unavailable);
            }
            self.arrive(config, at);
        }
    }

    pub fn is_behind(&self, at: usize, slot: usize) -> bool {
        let version = |thing: &Option<Arc<Thing>>| thing.as_ref().map(|thing| thing.version);
        self.ops[at].blind == Some(slot) || version(&self.ops[at].cache[slot]) != version(&self.kube.slots[slot])
    }

    pub fn deliver(&mut self, config: &Config, at: usize, slot: usize) {
        Arc::make_mut(&mut self.ops[at]).deliver(slot, &self.kube, self.now, config.seeded);
    }

    /// Etcd is restored from its backup: what users and operators have written since is undone, in Unkey it is not.
    pub fn rewind(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        let known: Vec<u8> = backup.iter().flatten().map(|thing| thing.uid).collect();
        // Nobody knows any more what was made for an object that the backup does not have.
        for uid in (0..self.kube.uids).filter(|uid| !known.contains(uid)) {
            self.excuse(uid);
        }
        let alive = |uid: &u8| self.kube.find(*uid).is_some();
        self.kube.came_back = known.into_iter().find(|uid| !alive(uid));
        self.kube.slots = backup;
        self.rewound = true;
        // What Unkey holds is not what anybody has recorded, as after a stranger's write.
        self.unkey.touch();
        self.unanswered |= self.asked;
    }

    /// The process dies and another begins; its caches show what is, or what was a moment ago.
    pub fn crash(&mut self, at: usize, stale: Option<usize>) {
        let key = self.ops[at].key;
        self.unanswered |= self.asked;
        let mut cache = self.kube.slots.clone();
        if let Some((_, slot, thing)) = stale.and_then(|past| self.past.get(past)) {
            cache[*slot] = Some(Arc::clone(thing));
        }
        self.ops[at] = Arc::new(Operator { stale: stale.is_some(), ..Operator::start(self.now, cache, key) });
    }

    /// The same, and the next one does not know the objects of one slot.
    pub fn crash_blind(&mut self, at: usize, slot: usize) {
        self.unanswered |= self.asked;
        let mut cache = self.kube.slots.clone();
        cache[slot] = None;
        let key = self.ops[at].key;
        self.ops[at] = Arc::new(Operator { blind: Some(slot), ..Operator::start(self.now, cache, key) });
    }
}
