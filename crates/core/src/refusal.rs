//! What Kubernetes refuses (R25): a claim, status or release that the API server does not take, and how long it is left alone. What counts as a
//! refusal, `answers` says; how it reads is [`message`](super::message)'s business.

mod answers;

pub(super) use self::answers::sync_object;
pub use self::answers::{accepted, concluded, definition_changed, is_refusal, managers_seen, put_on, refused, told};
use super::ids::Mono;
use super::object::Object;
use std::time::Duration;

/// So soon after the last try is the next one if somebody has changed the object: a label, an annotation.
const AFTER_CHANGE: Duration = Duration::from_secs(5);

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
    /// How long it asked to wait; `None`: it did not say.
    pub retry_after: Option<Duration>,
}

impl Refused {
    /// The answer to a write that was accepted and has no effect.
    pub fn without_effect(what: &str) -> Self {
        let words =
            format!("the API server accepted the write, but {what}; a mutating admission webhook may have changed it");
        Self { code: 200, words, retry_after: None }
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
            let wait = (self.tried_at.until(self.retry_at) / 10).max(AFTER_CHANGE);
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

impl FromIterator<Refusal> for Refusals {
    fn from_iter<I: IntoIterator<Item = Refusal>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}
