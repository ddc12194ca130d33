//! Answers as a performer hands them to a session, and what they mean beyond its object.

use super::super::crd::Crd;
use super::super::ids::{KeyMark, Mono, Uid};
use super::super::object::Guard;
use super::super::refusal::{Refusal, Refused};
use super::super::status_update::StatusUpdate;

/// What Kubernetes answers.
pub enum KubeReply<'a> {
    /// The object, as a read or an accepted write shows it. It may be another one that has taken the name.
    Shown(&'a dyn ObjectView),
    /// A read proves that there is none.
    Gone,
    /// A test in the patch failed, it seems, or the object seems to be gone.
    Stale(Refused),
    /// The write was not taken.
    Refused(Refused),
    /// What is known of the definition after a look.
    Definition(Crd),
    /// Who wrote the object last, as its managedFields tell.
    Manager(Option<&'a str>),
    /// It is gone; `successors`: another object names its externalId.
    Ended {
        /// There is one.
        successors: bool,
    },
    /// It lives.
    Lives,
}

/// An object, as an answer shows it.
pub trait ObjectView {
    /// It is the object of this uid.
    fn is(&self, uid: &Uid) -> bool;
    /// What a write to it has to test.
    fn guard(&self) -> Guard;
    /// Our finalizer is on.
    fn has_finalizer(&self) -> bool;
    /// Our finalizer is on, and a claim of its own.
    fn is_claimed(&self) -> bool;
    /// The fields that its status lacks of `report`, which was just written, as far as they can be named; `None`: it shows all of it.
    fn lacks(&self, report: &StatusUpdate) -> Option<Vec<String>>;
}

/// The circumstances of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When the answer was there.
    pub now: Mono,
    /// Uniform over all of `u16`, for jitter.
    pub jitter: u16,
    /// When a call for whatever object last succeeded.
    pub thrives: Option<Mono>,
}

/// What an answer means beyond this object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The root key of the session leads to the workspace of what is recorded under this one (R15).
    pub proven: Option<KeyMark>,
    /// A read that began then has shown an identity (R19).
    pub shown: Option<Mono>,
    /// Kubernetes begins to refuse a write (R25).
    pub refusal: Option<Refusal>,
    /// A write to the object was accepted, and had its effect.
    pub written: bool,
}
