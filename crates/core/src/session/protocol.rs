//! What a session says to its performer, and how far its request has come.

use super::super::call::Call;
use super::super::knowledge::Knowledge;
use super::super::note::EventNote;
use super::super::object::Object;
use super::super::object_state::ObjectState;
use super::super::refusal::Refusal;
use super::super::status_update::StatusUpdate;
use super::super::step::{KubeStep, Wake};

/// What outlives a session, in the claim index: each change is written through at once.
#[derive(Debug)]
pub struct Records<'a> {
    /// What is known of the externalId in Unkey.
    pub known: &'a mut Knowledge,
    /// What is remembered of the object.
    pub object_state: &'a mut ObjectState,
}

/// What may be done beside looking at what is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Requests to Kubernetes.
    Writes,
    /// The same, and a call to Unkey; also for the look that a call follows.
    Call,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for a permit.
    Acquire(Need),
    /// A request to Kubernetes.
    Kube(KubeStep),
    /// Look whether the object is gone, and for another object of its externalId: a read and a list.
    LookForEnd,
    /// A request to Unkey.
    Call(Call),
    /// An event.
    Publish(Event),
    /// The session is over.
    End(End),
}

/// An event to publish. That may take seconds, in which the object may change: a write upstream needs a new look (R11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// About the object as it stands.
    Note(EventNote),
    /// About the object as it stood before its release.
    Released(EventNote),
    /// A stall begins.
    Stalled(Box<StatusUpdate>),
    /// What the status cannot say, since Kubernetes refuses it (R25).
    Unwritten(Box<StatusUpdate>, Refusal),
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to do for this process: all is done, or it does not lead (any more), or it is about to end.
    Done,
    /// Until then, or until something changes.
    Wait(Wake),
    /// Anew, at once: another root key has come into use, or what was seen is too old.
    Again,
    /// A read shows that the object went meanwhile. Whether it did, the watch has to say too (R26).
    Gone,
    /// What was taken for gone lives.
    Lives,
    /// The answer to a read came too late to rest on.
    Slow,
    /// The object changes faster than it can be worked on.
    Restless,
}

impl End {
    /// Nobody comes back to what this session was to clear up after. (A process that does not lead is about to end, and forgets it so or so.)
    pub fn is_cleared(self) -> bool {
        matches!(self, Self::Done | Self::Gone | Self::Wait(Wake::Change | Wake::Proof))
    }
}

/// The session was not driven as it has to be: a bug of the performer. Nothing was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// A request is under way, and another step was asked for.
    #[error("a step was requested while a request is in progress")]
    UnderWay,
    /// There was no such request to send.
    #[error("a request was sent that the session did not ask for")]
    NotAsked,
    /// An answer to a request that is not the one under way, or an answer of another kind.
    #[error("an answer was handed in that does not belong to the request in progress")]
    NotSent,
}

/// Stands for one request that was sent, so that no other one's answer is taken for its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u32);

/// What was decided, and on what sight of the object.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) object: Object,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    LookForEnd,
    Kube(KubeStep),
    Call(Call),
}

/// How far a request has come.
#[derive(Clone, Debug)]
pub(super) enum Flight {
    None,
    /// It was asked for, and may still be given up.
    Asked(Box<Request>),
    /// It is on the wire. `noted`: a claim or a release that is remembered as sent since then.
    Sent {
        request: Box<Request>,
        noted: bool,
    },
}
