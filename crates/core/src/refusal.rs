//! What Kubernetes refuses (R25): a claim, status or release that the API server does not take. Says how long such a write is left alone, and
//! what does not count as a refusal. How it reads is [`message`](super::message)'s business.

use super::backoff::{self, HOUR_MS};
use super::claim::Claim;
use super::fight::CORRECTIONS;
use super::ids::Mono;
use super::object::{Guard, Object};
use super::object_state::ObjectState;
use super::situation::{Step, Wake};
use super::verdict::Cause;
use unkey_text::printable;

/// Characters of the API server's words that are kept.
const MAX_WORDS: usize = 500;
/// So soon after the last try is the next one, in milliseconds, if somebody has changed the object: a label, an annotation.
const AFTER_CHANGE_MS: u64 = 5_000;
/// So many failed tests in a row, each of another version of the object, are no coincidence any more.
const STALE: u32 = 8;
/// What the API server allows all annotations of an object together: keys and values, in bytes.
pub const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// A write to an object in Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KubeWrite {
    /// Finalizer and claim on.
    Claim,
    /// The status.
    Status,
    /// Finalizer and claim off.
    Release,
}

impl KubeWrite {
    /// Every one, for metrics that must list them all.
    pub const ALL: [Self; 3] = [Self::Claim, Self::Status, Self::Release];

    /// Its name, for logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Status => "status",
            Self::Release => "release",
        }
    }
}

/// Why the API server did not take a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status; 200 if it was accepted and had no effect.
    pub code: u16,
    /// The API server's sentence, as it came.
    pub words: String,
    /// Milliseconds that it asked to wait; 0: it did not say.
    pub retry_after: u64,
}

impl Refused {
    /// The answer to a write that was accepted and has no effect.
    pub fn without_effect(what: &str) -> Self {
        let words =
            format!("the API server accepted the write, but {what}; a mutating admission webhook may have changed it");
        Self { code: 200, words, retry_after: 0 }
    }

    /// True if the write was surely not carried out: the API server says itself that it did not take it.
    pub fn had_no_effect(&self) -> bool {
        (400..500).contains(&self.code)
    }
}

/// A write that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Which.
    pub write: KubeWrite,
    /// The HTTP status of the last answer.
    pub code: u16,
    /// The API server's words, escaped and bounded. They stay the same while each answer brings others.
    pub words: String,
    /// The words of the last answer.
    pub latest: String,
    /// Refusals in a row.
    pub failures: u32,
    /// When it was last tried.
    pub tried_at: Mono,
    /// When it is tried again.
    pub retry_at: Mono,
    /// The version of the object that was last seen. Another one may be what a policy asks for: a label, say.
    pub version: String,
    /// The generation it happened to. A change of this or the next one ends the wait.
    pub generation: i64,
    /// The reconcile request that was pending.
    pub reconcile_request: Option<String>,
    /// An event tells it.
    pub told: bool,
}

impl Refusal {
    /// It lasts, so it is worth telling: one failure that usually passes is not (R13).
    pub fn lasts(&self) -> bool {
        self.failures > 1 || !matches!(self.code, 404 | 408 | 409 | 429 | 500..=599)
    }

    /// The object is another one than it was: the next try is not far off, and still not each time that somebody writes to it.
    fn follow(&mut self, object: &Object) {
        if self.version != object.guard.resource_version {
            self.version.clone_from(&object.guard.resource_version);
            let wait = (self.retry_at.0.saturating_sub(self.tried_at.0) / 10).max(AFTER_CHANGE_MS);
            self.retry_at = self.retry_at.min(self.tried_at.after(wait));
        }
    }

    fn is_of(&self, object: &Object) -> bool {
        let poked = object
            .reconcile_request
            .as_ref()
            .is_some_and(|reconcile_request| self.reconcile_request.as_ref() != Some(&reconcile_request.value));
        self.generation == object.generation && !poked
    }
}

/// The writes of one object that are refused, one of a kind at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// The refusal of that write.
    pub fn of(&self, write: KubeWrite) -> Option<&Refusal> {
        self.0.iter().find(|refusal| refusal.write == write)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }

    /// The refusal of the status, if it lasts and nobody was told.
    pub fn untold(&self) -> Option<&Refusal> {
        self.of(KubeWrite::Status).filter(|refusal| refusal.lasts() && !refusal.told)
    }

    /// That write is to be left alone for now.
    pub(super) fn holding(&self, write: KubeWrite, now: Mono) -> Option<&Refusal> {
        self.of(write).filter(|refusal| now < refusal.retry_at)
    }

    fn take(&mut self, write: KubeWrite) -> Option<Refusal> {
        let at = self.0.iter().position(|refusal| refusal.write == write)?;
        Some(self.0.remove(at))
    }
}

/// The definition in the cluster is another one: a status that the API server accepted and did not keep may be written again.
pub fn definition_changed(object_state: &mut ObjectState) {
    if object_state.refusals.of(KubeWrite::Status).is_some_and(|refusal| refusal.code == 200) {
        object_state.refusals.take(KubeWrite::Status);
    }
}

impl FromIterator<Refusal> for Refusals {
    fn from_iter<I: IntoIterator<Item = Refusal>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// Who takes a claim off again, as far as anybody can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stripper {
    /// Nobody has looked yet.
    #[default]
    Unasked,
    /// A mutating admission webhook: the patch was accepted without it.
    Admission,
    /// The manager of that name wrote last, as managedFields show.
    Manager(String),
    /// managedFields do not tell.
    Unknown,
}

/// A claim that was put on and is gone again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stripped {
    /// The claim.
    pub claim: Claim,
    /// The generation that it was put on for. A change of this or the next one ends the truce.
    pub generation: i64,
    /// The reconcile request that was pending.
    pub reconcile_request: Option<String>,
    /// How often it was put on and did not stay, or had to be put on again.
    pub times: u32,
    /// When it was last put on.
    pub last: Mono,
    /// Who takes it off.
    pub by: Stripper,
}

impl Stripped {
    /// Until when this claim is left off, since it does not stay on (R16).
    pub(super) fn truce(&self, claim: &Claim, now: Mono) -> Option<Mono> {
        let until = self.last.after(HOUR_MS);
        (self.times >= CORRECTIONS && self.claim == *claim && now < until).then_some(until)
    }
}

/// Takes in that the API server refused a write. Returns true if that begins with this.
pub fn refused(
    object: &Object,
    write: KubeWrite,
    answer: &Refused,
    object_state: &mut ObjectState,
    now: Mono,
    jitter: u16,
) -> bool {
    let before = object_state.refusals.take(write);
    let begins = before.is_none();
    let failures = before.as_ref().map_or(0, |before| before.failures) + 1;
    let latest = printable(&answer.words, MAX_WORDS);
    // Words that hold a time, a port or a request id are others each time, and refusals may alternate: neither is news. What comes twice is.
    let is_news = |before: &Refusal| !before.lasts() || before.latest == latest;
    let (words, told) = match before {
        Some(before) if !is_news(&before) => (before.words, before.told),
        Some(before) => {
            let told = before.told && before.words == latest;
            (latest.clone(), told)
        }
        None => (latest.clone(), false),
    };
    // Every cause that passes by itself has the same delays.
    let wait = backoff::delay(&Cause::Unavailable, failures, answer.retry_after, jitter).unwrap_or(backoff::MAX_MS);
    object_state.refusals.0.push(Refusal {
        write,
        code: answer.code,
        words,
        latest,
        failures,
        tried_at: now,
        retry_at: now.after(wait),
        version: object.guard.resource_version.clone(),
        generation: object.generation,
        reconcile_request: object.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        told,
    });
    begins
}

/// Takes in that the API server took a write.
pub fn accepted(write: KubeWrite, object_state: &mut ObjectState) {
    object_state.refusals.take(write);
    object_state.stale = 0;
}

/// Takes in that a write was answered as if a test in its patch had failed: 409, or 422 without causes. `after` is what a read showed then;
/// `None`: the object is gone. Returns true if that is no failed test but a refusal: nothing has changed that could have failed one, or
/// something changes each time.
pub fn is_refusal(before: &Guard, after: Option<&Guard>, object_state: &mut ObjectState) -> bool {
    let Some(after) = after.filter(|after| after.uid == before.uid) else { return false };
    object_state.stale = object_state.stale.saturating_add(1);
    after.resource_version == before.resource_version || object_state.stale >= STALE
}

/// Takes in how a reconcile ends: where nothing is left to be written, what was refused is not wanted any more.
pub fn concluded(end: &Step, object_state: &mut ObjectState) {
    if matches!(end, Step::Done | Step::Wait(Wake::Change | Wake::Proof)) {
        object_state.refusals.0.clear();
        object_state.stale = 0;
    }
}

/// An event tells that this write is refused.
pub fn told(write: KubeWrite, object_state: &mut ObjectState) {
    if let Some(refusal) = object_state.refusals.0.iter_mut().find(|refusal| refusal.write == write) {
        refusal.told = true;
    }
}

/// Notes that our patch put a claim on `before`, the object that the patch was made from. `stays`: the API server's reply shows it.
/// Nothing is kept of one that is put on for the first time and stays.
pub fn put_on(before: &Object, claim: &Claim, stays: bool, object_state: &mut ObjectState, now: Mono) {
    let was_on = object_state.claim_met || object_state.claimed_here;
    let is_off = !before.finalizer || before.claim.own().is_none();
    if stays && !(was_on && is_off) {
        return;
    }
    let known = object_state.stripped.take().filter(|known| known.claim == *claim);
    // One that stayed on for long is not taken off for having been put on.
    let known = known.filter(|known| known.times >= CORRECTIONS || now < known.last.after(HOUR_MS));
    let (times, by) = known.map_or((0, Stripper::Unasked), |known| (known.times, known.by));
    let by = match by {
        _ if !stays => Stripper::Admission,
        Stripper::Admission => Stripper::Unasked,
        by => by,
    };
    object_state.stripped = Some(Stripped {
        claim: claim.clone(),
        generation: before.generation,
        reconcile_request: before.reconcile_request.as_ref().map(|reconcile_request| reconcile_request.value.clone()),
        times: times.saturating_add(1),
        last: now,
        by,
    });
}

/// Takes in which manager wrote the object last, as its managedFields tell.
pub fn managers_seen(manager: Option<&str>, object_state: &mut ObjectState) {
    if let Some(stripped) = &mut object_state.stripped {
        stripped.by = manager.map_or(Stripper::Unknown, |name| Stripper::Manager(printable(name, MAX_WORDS)));
    }
}

/// What a change of the object ends, and what time does.
pub(super) fn sync_object(object: &Object, object_state: &mut ObjectState, now: Mono) {
    object_state.refusals.0.retain(|refusal| refusal.is_of(object));
    for refusal in &mut object_state.refusals.0 {
        refusal.follow(object);
    }
    let marked = object.finalizer && object.claim.own().is_some();
    let ends = |stripped: &Stripped| {
        let poked = object
            .reconcile_request
            .as_ref()
            .is_some_and(|reconcile_request| stripped.reconcile_request.as_ref() != Some(&reconcile_request.value));
        let stayed = marked && now >= stripped.last.after(HOUR_MS);
        stripped.generation != object.generation || poked || stayed
    };
    if object_state.stripped.as_ref().is_some_and(ends) {
        object_state.stripped = None;
    }
}
