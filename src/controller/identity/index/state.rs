//! All that the index keeps, behind its one mutex. Plain data: nothing here knows the mutex, so nothing here can ask for it again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::raw::RawIdentity;
use super::facts::{Entry, Facts, IndexEntry};
use super::newcomers::{Newcomers, is_new};
use super::object_memories::ObjectMemories;
use super::object_name::IdentityRef;
use super::queue::Queue;
use super::untold::Untold;
use super::waiting::Waiting;
use crate::domain::{self, Deletions, ExternalId, Forgets, IdentityId, Mono, ObjectKey, Source, Taken, Uid, Workspace};

/// What came of an object that was shown.
#[derive(Debug, Default)]
pub(super) struct Put {
    /// How long it was out of step, if that ended.
    pub ended: Option<Duration>,
    /// So many are new by now that a listing pays.
    pub many_are_new: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub entries: HashMap<ExternalId, IndexEntry>,
    pub object_memories: ObjectMemories,
    pub untold: Untold,
    pub workspace: Workspace,
    /// Hold and brake (R20).
    pub deletions: Deletions,
    /// The fingerprints of root keys that objects name.
    pub marks: HashSet<Arc<str>>,
    /// Who cannot go on without a witness (R19).
    pub waiting: Waiting,
    pub newcomers: Newcomers,
    /// Objects that are new are to be created or adopted: not all are only observed.
    pub counts_new: bool,
    pub queue: Queue,
}

impl State {
    pub fn new((workspace, deletions): (Workspace, Deletions), counts_new: bool, queue: Queue) -> Self {
        Self {
            entries: HashMap::new(),
            object_memories: ObjectMemories::default(),
            untold: Untold::default(),
            workspace,
            deletions,
            marks: HashSet::new(),
            waiting: Waiting::default(),
            newcomers: Newcomers::default(),
            counts_new,
            queue,
        }
    }

    /// `entry`: what `object` says. `wait_until`: until when new objects wait for a listing, if one pays from now on.
    pub fn put(&mut self, object: &RawIdentity, mut entry: Entry, source: Source, now: Mono, wait_until: Mono) -> Put {
        if let Some(mark) = &mut entry.claimant.credential {
            share(&mut self.marks, mark);
        }
        let (plan, is_untold, mut ended) = (entry.extra.plan, entry.extra.untold, None);
        let indexed = self.entries.entry(object.external_id().clone()).or_default();
        let known = indexed.claims.get_mut(object.uid());
        let (had, was_new) = known.map_or((false, false), |known| (owns(known), is_new(known)));
        let (has, is_new) = (owns(&entry), self.counts_new && is_new(&entry));
        let follow = |known: &mut Facts, new: Facts| ended = new.follow(known);
        let taken = indexed.claims.put(entry, source, &mut self.workspace, follow);
        match taken {
            Taken::Unknown => return Put::default(),
            Taken::Older => {
                if let Some(known) = indexed.claims.get_mut(object.uid()) {
                    known.extra.plan = plan.or(known.extra.plan);
                }
                return Put::default();
            }
            Taken::Same | Taken::Changed => self.untold.follow(object, is_untold),
        }
        self.deletions.moves(object.namespace(), has, had, now);
        if taken == Taken::Changed {
            self.queue.wake_others(indexed, object.uid());
        }
        Put { ended, many_are_new: self.newcomers.moves(was_new, is_new, wait_until) }
    }

    /// The object is gone, and has recorded this.
    pub fn remove(&mut self, object: &RawIdentity, recorded: Option<&IdentityId>, now: Mono) {
        let uid = object.uid();
        self.untold.remove(uid);
        // Left to the sweep: whoever clears up after the object goes on with it, and must know what has been sent (R6).
        let object_state = self.object_memories.let_go(uid);
        if let Some(indexed) = self.entries.get_mut(object.external_id()) {
            domain::ended(uid, recorded, indexed.known(&self.workspace), &object_state, now);
            indexed.forget_nothing(&self.workspace);
            let known = indexed.claims.get_mut(uid);
            let (had, was_new) = known.map_or((false, false), |known| (owns(known), is_new(known)));
            if was_new {
                self.newcomers.leaves();
            }
            indexed.claims.remove(uid, &mut self.workspace);
            self.queue.wake_others(indexed, uid);
            self.deletions.moves(object.namespace(), false, had, now);
        }
        self.deletions.withdraws(object.namespace(), uid, false, now);
        self.wake_freed();
    }

    /// Looks again at objects that no mass of deletions holds any more.
    pub fn wake_freed(&mut self) {
        for ObjectKey { namespace, name } in self.deletions.woken() {
            self.queue.wake(IdentityRef::new(&name).within(&namespace));
        }
    }

    pub fn unlock(&mut self, external_id: &ExternalId) {
        if let Some(indexed) = self.entries.get_mut(external_id) {
            indexed.claims.unlock();
            indexed.forget_nothing(&self.workspace);
            self.queue.unlocked(indexed);
        }
    }

    pub fn sweep(&mut self, now: Mono, window: Duration) {
        self.entries.retain(|_, indexed| {
            let forgets = indexed.claims.forgets(indexed.known.as_deref(), now, window);
            match forgets {
                _ if !indexed.parked.is_empty() => {}
                Forgets::Nothing => {}
                Forgets::Known => indexed.known = None,
                Forgets::All => return false,
            }
            true
        });
        let alive = claims(&self.entries).map(|(_, entry)| &entry.claimant.uid).collect();
        self.object_memories.sweep(&alive);
        self.deletions.sweep(now);
        self.marks.retain(|mark| Arc::strong_count(mark) > 1);
    }

    /// See [`claims()`].
    pub fn claims(&self) -> impl Iterator<Item = (&ExternalId, &Entry)> {
        claims(&self.entries)
    }

    pub fn with_entry(&mut self, external_id: &ExternalId, uid: &Uid, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(external_id).and_then(|indexed| indexed.claims.get_mut(uid)) {
            change(entry);
        }
    }

    /// Has everything looked at again.
    pub fn wake_all(&mut self) {
        self.wake_if(|_| true);
    }

    /// The same of those that `wanted` takes.
    pub fn wake_if(&mut self, wanted: impl Fn(&Entry) -> bool) {
        let entries = self.entries.values_mut().flat_map(|indexed| indexed.claims.entries_mut());
        for entry in entries.filter(|entry| wanted(entry)) {
            self.queue.hand_over(&mut entry.extra);
        }
    }
}

/// All claims of `entries`, each with its externalId.
pub(super) fn claims(entries: &HashMap<ExternalId, IndexEntry>) -> impl Iterator<Item = (&ExternalId, &Entry)> {
    entries.iter().flat_map(|(external_id, indexed)| indexed.claims.entries().iter().map(move |it| (external_id, it)))
}

/// It owns an identity, which its deletion would delete.
fn owns(entry: &Entry) -> bool {
    entry.claimant.recorded.is_some() && !entry.claimant.observes
}

/// Puts the text that others have in place of an equal one: nearly all objects name the same key.
fn share(marks: &mut HashSet<Arc<str>>, mark: &mut Arc<str>) {
    match marks.get(mark) {
        Some(known) => *mark = Arc::clone(known),
        None => drop(marks.insert(Arc::clone(mark))),
    }
}
