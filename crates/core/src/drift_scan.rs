//! What a scan of the workspace means for one object: a hint that something is not as its status says, or nothing.
//!
//! A hint decides nothing. It makes the next reconcile over the object look once more by itself, with a settled read, before it
//! writes anything (R4); an object that is as its status says costs neither call nor write (R12).

use std::collections::BTreeMap;

use super::cause::Cause;
use super::content::Content;
use super::desired::Desired;
use super::ids::{Confirmed, IdentityId, KeyMark, Mono};
use super::knowledge::{Knowledge, Seen};
use super::object::{Object, Phase};
use super::object_state::ObjectState;
use super::observation::{Found, Observation};
use super::ownership::Role;
use super::policy::Policy;
use super::prior_status::{OwnedIdentity, Record};
use super::takeover;
use unkey_operator_api::Reason;

/// A scan that misses more identities than this, and more than a tenth of those recorded, takes none of them for gone.
const FEW: usize = 3;

/// What a scan saw under an externalId.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When the request for that page, or that identity, began; of what a whole listing did not show, when the listing began.
    pub begun: Mono,
    /// What was there.
    pub saw: Saw,
}

/// What was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    /// An identity of exactly this externalId.
    There {
        /// Its id.
        id: IdentityId,
        /// What it holds.
        content: Content,
    },
    /// A get was answered with an identity of another externalId.
    Foreign,
    /// None: a complete listing did not show it, or a get was answered with Unkey's own 404.
    Missing,
}

impl<'a> From<&'a Saw> for Found<'a> {
    fn from(saw: &'a Saw) -> Self {
        match saw {
            Saw::There { id, content } => Self::Identity(id, content),
            Saw::Foreign => Self::Foreign,
            Saw::Missing => Self::Nothing,
        }
    }
}

/// Why an object deserves another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// A managed field is not what the spec asks for.
    Drift,
    /// Another identity stands under the externalId.
    Replaced,
    /// The identity is not there.
    Missing,
    /// The object is stalled over what Unkey held, and Unkey holds something else now (R13).
    Verdict,
    /// The object is only observed, and comes upon something else than its status tells (R21).
    Observed,
}

impl Finding {
    /// Every finding.
    pub const ALL: [Self; 5] = [Self::Drift, Self::Replaced, Self::Missing, Self::Verdict, Self::Observed];

    /// One word: a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Replaced => "replaced",
            Self::Missing => "missing",
            Self::Verdict => "verdict",
            Self::Observed => "observed",
        }
    }
}

/// All that is known of an object when a sight is held against it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The object.
    pub object: &'a Object,
    /// Its standing among those of the same externalId.
    pub role: Role,
    /// What is known of that externalId in Unkey.
    pub known: &'a Knowledge,
    /// What is remembered of this object.
    pub object_state: &'a ObjectState,
    /// How this operator is set up.
    pub policy: &'a Policy,
}

impl Subject<'_> {
    /// True if something seen could be news: the object rests, and says something of what Unkey holds. What is not at rest
    /// is being worked on, and what is suspended, invalid or another's is not looked at.
    pub fn is_open(&self) -> bool {
        let (object, object_state) = (self.object, self.object_state);
        let Some(record) = self.record() else { return false };
        let in_flux = !object_state.seen_before
            || object_state.suspicion
            || object_state.rejudge.is_some()
            || object.reconcile_request.is_some()
            || self.known.doubt().is_some()
            || self.known.owes(&object.guard.uid);
        let held_back = match &object_state.trouble {
            None => false,
            // What waits for a time goes on by itself.
            Some(trouble) => trouble.retry_at.is_some() || !record.shown.stalled,
        };
        let tells = match record.shown.reason {
            Some(reason) if reason.is_observing() => true,
            _ if record.shown.ready => object.held().is_some(),
            Some(Reason::AlreadyExists | Reason::IdentityMismatch) => record.shown.stalled,
            Some(Reason::Rejected | Reason::WouldLose) => record.shown.stalled && object.held().is_some(),
            _ => false,
        };
        // A status of the other policy is about to be written anew.
        let observes = self.is_observed();
        object.phase == Phase::Live
            && !object.controls.suspend
            && object.spec.is_ok()
            && observes == object.recorded.observes()
            && self.role == Role::Owner
            && !in_flux
            && !held_back
            && tells
    }

    /// True if a read that began then would prove something of this object (R4).
    pub fn settles(&self, begun: Mono) -> bool {
        begun >= self.known.settles_at(self.policy.window)
    }

    /// What the sight means for it.
    pub fn finds(&self, sight: &Sight) -> Option<Finding> {
        if !self.is_open() || !self.settles(sight.begun) {
            return None;
        }
        let record = self.record()?;
        let shown = &record.shown;
        let desired = self.object.spec.as_ref().ok()?;
        if self.is_observed() {
            let found = Found::from(&sight.saw);
            let observation = Observation::of(self.object, self.object.held(), self.policy, found);
            return (!observation.is_told(record)).then_some(Finding::Observed);
        }
        match (shown.reason, self.object.held()) {
            (Some(Reason::Rejected), Some(held)) => {
                // What is refused would be refused again, unless it is there already.
                let there = matches!(&sight.saw, Saw::There { id, .. } if id == held.identity.id());
                (there && holds(desired, &sight.saw)).then_some(Finding::Verdict)
            }
            (Some(Reason::IdentityMismatch), Some(held)) => match &sight.saw {
                Saw::Foreign => None,
                Saw::Missing => Some(Finding::Missing),
                Saw::There { id, .. } if id != held.identity.id() => Some(Finding::Replaced),
                // After an update that was answered for another identity none must follow: only what is right already.
                saw @ Saw::There { .. } => (holds(desired, saw) || !self.was_mistaken()).then_some(Finding::Verdict),
            },
            (Some(Reason::IdentityMismatch), None) => (sight.saw != Saw::Foreign).then_some(Finding::Verdict),
            (Some(Reason::WouldLose), Some(held)) => match &sight.saw {
                Saw::There { id, .. } if id != held.identity.id() => Some(Finding::Replaced),
                Saw::There { content, .. } => self.may_take_over(desired, held, content).then_some(Finding::Verdict),
                Saw::Foreign => Some(Finding::Verdict),
                Saw::Missing => Some(Finding::Missing),
            },
            (Some(Reason::AlreadyExists), _) => self.lets_go_on(desired, &sight.saw).then_some(Finding::Verdict),
            (_, Some(held)) => match &sight.saw {
                Saw::There { id, .. } if id != held.identity.id() => Some(Finding::Replaced),
                saw @ Saw::There { .. } => (!holds(desired, saw)).then_some(Finding::Drift),
                Saw::Foreign => Some(Finding::Verdict),
                Saw::Missing => Some(Finding::Missing),
            },
            (_, None) => None,
        }
    }

    fn record(&self) -> Option<&Record> {
        self.object.recorded.own().filter(|record| record.generation == self.object.generation)
    }

    fn is_observed(&self) -> bool {
        self.object.controls.observed_by(self.policy).is_some()
    }

    fn was_mistaken(&self) -> bool {
        self.object_state.trouble.as_ref().is_some_and(|trouble| trouble.cause == Cause::Mismatch)
    }

    /// R18: what is stored no longer stands in the way of managing it.
    fn may_take_over(&self, desired: &Desired, held: &OwnedIdentity, content: &Content) -> bool {
        takeover::would_lose(desired, &held.fields, content, self.object.controls.adoption(self.policy)).is_none()
    }

    /// R3: what exists no longer stands in the way.
    fn lets_go_on(&self, desired: &Desired, saw: &Saw) -> bool {
        match saw {
            Saw::Missing | Saw::Foreign => true,
            Saw::There { content, .. } => desired.may_take(content, self.object.controls.adoption(self.policy)),
        }
    }
}

/// True if every managed field is there as the spec asks for.
fn holds(desired: &Desired, saw: &Saw) -> bool {
    matches!(saw, Saw::There { content, .. } if desired.missing_from(&desired.managed_of(content)).is_none())
}

/// Notes a finding, so that the next reconcile over the object looks for itself. An absence counts as one of the two settled
/// reads that it takes to prove it (R9), and as the first of its row.
pub fn note(object: &Object, sight: &Sight, known: &mut Knowledge, object_state: &mut ObjectState, now: Mono) {
    object_state.trouble = None;
    if object.recorded.observes() {
        object_state.sight = seen_by(object, sight).map(Box::new);
        return;
    }
    // What an earlier read showed is older than this.
    known.seen = Seen::Nothing;
    if let Some(held) = object.held() {
        object_state.suspicion = true;
        if sight.saw == Saw::Missing {
            // Its witness came with it: without one nothing counts as missing (R19).
            known.seen = Seen::Absent { first: sight.begun, last: sight.begun, of: Some(held.identity.id().clone()) };
            // It may be that only the permission to create stood in: a deletion has a look made of its own.
            (known.unwitnessed, known.tentative) = (None, Some((now, None)));
        }
    } else {
        object_state.rejudge = object.recorded.own().and_then(|record| record.shown.reason);
    }
}

/// Hands the sight of a listing to an object that is new (adoption from the list). False: it is new no longer.
pub fn show_new(object: &Object, sight: &Sight, object_state: &mut ObjectState) -> bool {
    let untouched = !object.is_marked() && object.recorded.tells_of_no_write() && !object_state.sent;
    let is_new = object.phase == Phase::Live && untouched;
    if is_new {
        object_state.sight = seen_by(object, sight).map(Box::new);
    }
    is_new
}

/// A sight as a read. It takes the place of one: what is only observed is not looked at once more.
fn seen_by(object: &Object, Sight { begun, saw }: &Sight) -> Option<Seen> {
    let begun = *begun;
    Some(match saw {
        Saw::There { id, content } => {
            let external_id = object.external_id.as_ref()?;
            let identity = Confirmed::from_reply(external_id, external_id.as_str(), id.as_str())?;
            Seen::Ours { begun, identity, content: content.clone() }
        }
        Saw::Foreign => Seen::Foreign { begun },
        // Its witness came with it (R19).
        Saw::Missing => {
            Seen::Absent { first: begun, last: begun, of: object.held().map(|held| held.identity.id().clone()) }
        }
    })
}

/// What a scan saw of the identities that are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Every identity that is recorded was looked for: listed to the end, or asked for one by one.
    pub complete: bool,
    /// How many externalIds have an identity recorded that could have been missed: without those that could not be read.
    pub recorded: usize,
    /// Those that are missing, by reads that prove it.
    pub missing: usize,
    /// Those that were there under their recorded id, by the mark of the root key that they were recorded under.
    pub found: BTreeMap<KeyMark, usize>,
}

impl Summary {
    /// Too many are missing to believe it: more likely this is another workspace, or Unkey's trouble (R15).
    pub fn misses_too_many(&self) -> bool {
        self.missing > FEW.max(self.recorded / 10)
    }
}
