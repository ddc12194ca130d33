//! R20: a hold before each deletion in Unkey, and a brake on many of them. Pure: it counts, and neither waits nor writes.
//!
//! A deletion *waits* while nothing but hold and brake stops it. It is *sent* once its delete was about to be. Both count, against a limit that grows with
//! how many identities are recorded. Beyond it an *episode* begins, of one namespace or of all others together: nothing of it goes without an approval
//! until what waits is within the limit again. Time alone ends no episode, and neither does whoever keeps one identity after the other: what leaves an
//! episode without an approval counts as waiting until its end, or the last ones would be deleted under the hands of their rescuer.

mod approval;
mod gate;
mod limits;
mod namespace;
mod recorded;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use self::approval::Approval;
pub use self::gate::{Counts, DeletionGate, Episode};
pub use self::limits::{DeletionLimits, Share};
use self::namespace::{Namespace, Tally, Waiting};
use self::recorded::Recorded;
use super::ids::{Mono, ObjectKey, Uid};

/// What waits for so long says so in its status (R24).
const TOLD_FROM: Duration = Duration::from_secs(15);

/// The account of all deletions.
#[derive(Clone, Debug)]
pub struct Deletions {
    limits: DeletionLimits,
    namespaces: BTreeMap<String, Namespace>,
    /// Of all namespaces.
    recorded: Recorded,
    /// Of the namespaces without an episode of their own.
    others: Tally,
    episode: Option<Episode>,
    /// In the order of their moments. One that is in no namespace with this very moment is void: it was sent again.
    sent: VecDeque<(Mono, String, Uid)>,
    woken: Vec<ObjectKey>,
}

impl Deletions {
    /// Nothing is recorded yet.
    pub fn new(limits: DeletionLimits) -> Self {
        Self {
            limits,
            namespaces: BTreeMap::new(),
            recorded: Recorded::default(),
            others: Tally::default(),
            episode: None,
            sent: VecDeque::new(),
            woken: Vec::new(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &DeletionLimits {
        &self.limits
    }

    /// So many may go within the window, of all namespaces together.
    pub fn limit(&self, now: Mono) -> usize {
        self.limits.limit(self.recorded.most(now, self.limits.window))
    }

    /// An object of `namespace` comes to record an identity, or no longer does.
    pub fn moves(&mut self, namespace: &str, comes: bool, goes: bool, now: Mono) {
        if comes == goes || !self.limits.brakes() {
            return;
        }
        let (window, change) =
            (self.limits.window, |count: usize| if comes { count + 1 } else { count.saturating_sub(1) });
        self.recorded.change(now, window, change);
        let of = self.namespace(namespace);
        of.recorded.change(now, window, change);
        if comes && (of.episode.is_some() || self.episode.is_some()) {
            // A process that has just begun comes to know them one by one.
            self.reviews(namespace, now);
        }
    }

    /// Nothing but hold and brake stops the deletion of `object` now.
    pub fn waits(&mut self, object: &ObjectKey, uid: &Uid, now: Mono) {
        self.expires(now);
        let of = self.namespace(&object.namespace);
        if of.sent.contains_key(uid) || of.waiting.contains_key(uid) {
            return;
        }
        self.changes(&object.namespace, |of| {
            of.kept.remove(uid);
            of.waiting.insert(uid.clone(), Waiting { name: object.name.clone(), since: now });
        });
        self.begins(&object.namespace, now);
    }

    /// The deletion waits for neither any more: it is `approved`; or something else stops it, its identity is kept, or the object is gone.
    pub fn withdraws(&mut self, namespace: &str, uid: &Uid, approved: bool, now: Mono) {
        self.expires(now);
        let Some(of) = self.namespaces.get(namespace) else { return };
        let (waits, holds) = (of.waiting.contains_key(uid), of.episode.is_some() || self.episode.is_some());
        let counts = waits || approved && of.kept.contains(uid);
        if !counts {
            return;
        }
        self.changes(namespace, |of| {
            of.waiting.remove(uid);
            if holds && !approved {
                of.kept.insert(uid.clone());
            } else {
                of.kept.remove(uid);
            }
        });
        self.reviews(namespace, now);
    }

    /// Its delete is about to be sent; the gate was open.
    pub fn sends(&mut self, namespace: &str, uid: &Uid, now: Mono) {
        if !self.limits.brakes() {
            return self.withdraws(namespace, uid, false, now);
        }
        self.changes(namespace, |of| {
            of.waiting.remove(uid);
            of.sent.insert(uid.clone(), now);
        });
        self.sent.push_back((now, namespace.to_owned(), uid.clone()));
    }

    /// What hold and brake say of `uid`. `an_hour_ahead`: as a message may print it.
    pub fn gate(&self, namespace: &str, uid: &Uid, now: Mono, an_hour_ahead: impl FnOnce() -> String) -> DeletionGate {
        let Some(of) = self.namespaces.get(namespace) else { return DeletionGate::Open };
        if of.sent.contains_key(uid) {
            // It counts already.
            return DeletionGate::Open;
        }
        let Some(waiting) = of.waiting.get(uid) else { return DeletionGate::Open };
        if let Some(episode) = of.episode.as_ref().or(self.episode.as_ref()) {
            return DeletionGate::Held { episode: episode.clone(), approve_until: an_hour_ahead() };
        }
        let until = waiting.since.after(self.limits.hold);
        let is_long = self.limits.hold >= TOLD_FROM;
        if now < until { DeletionGate::Hold { until, is_long } } else { DeletionGate::Open }
    }

    /// The episode that holds `uid`, if nobody has been told of it in its namespace. It counts as told from then on.
    pub fn tells(&mut self, namespace: &str, uid: &Uid) -> Option<Episode> {
        let everywhere = self.episode.as_ref();
        let of = self.namespaces.get_mut(namespace).filter(|of| of.waiting.contains_key(uid))?;
        let episode = of.episode.as_ref().or(everywhere)?.clone();
        (!std::mem::replace(&mut of.told, true)).then_some(episode)
    }

    /// Objects that no episode holds any more, to be looked at again.
    pub fn woken(&mut self) -> Vec<ObjectKey> {
        std::mem::take(&mut self.woken)
    }

    /// How many wait.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { episodes: usize::from(self.episode.is_some()), ..Counts::default() };
        for of in self.namespaces.values() {
            counts.waiting += of.waiting.len();
            counts.episodes += usize::from(of.episode.is_some());
            if of.episode.is_some() || self.episode.is_some() {
                counts.held += of.waiting.len();
            }
        }
        counts
    }

    /// Forgets namespaces that nothing is known of.
    pub fn sweep(&mut self, now: Mono) {
        self.expires(now);
        let window = self.limits.window;
        self.namespaces.retain(|_, of| {
            !of.recorded.is_nothing(now, window) || of.tally() != Tally::default() || of.episode.is_some()
        });
    }

    fn namespace(&mut self, namespace: &str) -> &mut Namespace {
        self.namespaces.entry(namespace.to_owned()).or_default()
    }

    /// Changes what waits or was sent in `namespace`, and the sum of the others with it.
    fn changes(&mut self, namespace: &str, change: impl FnOnce(&mut Namespace)) {
        let of = self.namespaces.entry(namespace.to_owned()).or_default();
        let before = of.tally();
        change(of);
        if of.episode.is_none() {
            self.others -= before;
            self.others += of.tally();
        }
    }

    /// What was sent before the window counts no more. It frees nothing of an episode.
    fn expires(&mut self, now: Mono) {
        while let Some((at, namespace, uid)) = self.sent.front() {
            if at.after(self.limits.window) > now {
                return;
            }
            let (at, namespace, uid) = (*at, namespace.clone(), uid.clone());
            self.sent.pop_front();
            let counts = self.namespaces.get(&namespace).and_then(|of| of.sent.get(&uid)) == Some(&at);
            if counts {
                self.changes(&namespace, |of| {
                    of.sent.remove(&uid);
                });
            }
        }
    }

    /// One more waits in `namespace`: is it one too many?
    fn begins(&mut self, namespace: &str, now: Mono) {
        let window = self.limits.window;
        let Some(of) = self.namespaces.get(namespace) else { return };
        let (apart, tally, recorded) = (of.episode.is_some(), of.tally(), of.recorded.most(now, window));
        if !apart && let Some(episode) = self.episode(false, tally, recorded) {
            self.others -= tally;
            let held = self.episode.is_some();
            let of = self.namespace(namespace);
            // That its deletions are held was told, if they were.
            (of.episode, of.told) = (Some(episode), of.told && held);
            // Those of the other namespaces may be few enough without it.
            self.reviews_others(now);
        }
        self.begins_everywhere(now);
    }

    fn begins_everywhere(&mut self, now: Mono) {
        if self.episode.is_none()
            && let Some(episode) = self.episode(true, self.others, self.recorded.most(now, self.limits.window))
        {
            self.episode = Some(episode);
            for of in self.namespaces.values_mut().filter(|of| of.episode.is_none()) {
                of.told = false;
            }
        }
    }

    /// The episode that begins if so many are too many.
    fn episode(&self, everywhere: bool, tally: Tally, recorded: usize) -> Option<Episode> {
        let (deletions, limit) = (tally.all(), self.limits.limit(recorded));
        let begins = self.limits.brakes() && deletions > limit;
        begins.then_some(Episode {
            everywhere,
            deletions,
            sent: tally.sent,
            limit,
            recorded,
            window: self.limits.window,
        })
    }

    /// Fewer wait in `namespace`, or the limit has grown: do the episodes end that hold its deletions?
    fn reviews(&mut self, namespace: &str, now: Mono) {
        let window = self.limits.window;
        if let Some(of) = self.namespaces.get_mut(namespace)
            && let Some(episode) = &of.episode
            && is_over(episode, of.tally(), self.limits.limit(of.recorded.most(now, window)))
        {
            of.episode = None;
            of.ends(namespace, now, &mut self.woken);
            self.others += of.tally();
            // With it the others may be too many.
            self.begins_everywhere(now);
        }
        self.reviews_others(now);
    }

    fn reviews_others(&mut self, now: Mono) {
        let limit = self.limit(now);
        let Some(episode) = &self.episode else { return };
        if !is_over(episode, self.others, limit) {
            return;
        }
        self.episode = None;
        self.others.kept = 0;
        for (namespace, of) in self.namespaces.iter_mut().filter(|(_, of)| of.episode.is_none()) {
            of.ends(namespace, now, &mut self.woken);
        }
    }
}

/// Nothing of it waits, or what waits would have been within the limit when it began. `limit`: as it is now, which may be more.
fn is_over(episode: &Episode, Tally { waiting, kept, sent: _ }: Tally, limit: usize) -> bool {
    waiting == 0 || waiting + kept + episode.sent <= limit.max(episode.limit)
}
