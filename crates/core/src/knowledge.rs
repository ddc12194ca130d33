//! What this process knows about one externalId in Unkey, in memory: what it wrote, what it read, and what of that can be
//! relied on (R4).
//!
//! Unkey answers reads from a replica that lags, and a write whose answer was lost may still commit. So a read proves
//! absence, equality or difference only if it began a whole consistency window after the last moment at which one of
//! our writes could have taken effect. Such a read is called *settled*.

use std::time::Duration;

use super::content::{Applied, Content};
use super::fields::Fields;
use super::ids::{Confirmed, IdentityId, Mono, Uid};
use super::object::Object;
use super::writes::{Evidence, InFlight, LastWrite, UncertainFields, UnknownOutcome, Write};

mod absence;

/// All of it. One per externalId (and root key); shared by every object that names it, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The last write of this process that was answered.
    pub last: LastWrite,
    /// The latest moment at which a write could have taken effect, as far as known: the end of our last attempt, or
    /// taking the lead, or first seeing an object that already carried a claim.
    pub evidence_from: Evidence,
    /// A write whose outcome is unknown and that no settled read has cleared.
    pub doubt: Option<UnknownOutcome>,
    /// The same of writes that another process may have sent. One that says Ready has settled them.
    pub assumed: Option<UnknownOutcome>,
    /// A write that was begun and has not been answered to [`apply_reply()`](super::apply_reply()). If a reconcile ends (or is dropped) with it, that is a doubt.
    pub in_flight: Option<InFlight>,
    /// Fields whose update has an unknown outcome: what Unkey last accepted of them is not known.
    pub unsure: Option<UncertainFields>,
    /// When rate limits were last sent. Sent twice within a window they need a settled read: the server computes the
    /// difference against its replica.
    pub limits_sent: Option<Mono>,
    /// The last read.
    pub seen: Seen,
    /// When the latest read began that showed an identity. Whoever made it may have done so a moment before.
    pub shown_at: Option<Mono>,
    /// When the last read was answered, if it found nothing and no witness has shown that this counts (R19).
    pub unwitnessed: Option<Mono>,
    /// The same, if it counts for an object that stays and not for one that is leaving (R19), with what it has settled.
    pub tentative: Option<(Mono, Option<UnknownOutcome>)>,
}

/// What a read found under our externalId.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nothing was read in this reconcile.
    #[default]
    Nothing,
    /// No identity, in an unbroken row of reads.
    Absent {
        /// When the first of them that is still valid began.
        first: Mono,
        /// When the last of them began.
        last: Mono,
        /// The id that the object owned then: absence says nothing of one that it came to own since.
        of: Option<IdentityId>,
    },
    /// An identity of exactly our externalId.
    Ours {
        /// When the read began.
        begun: Mono,
        /// The identity.
        identity: Confirmed,
        /// What it holds.
        content: Content,
    },
    /// An identity of another externalId (an older server, which ignores case).
    Foreign {
        /// When the read began.
        begun: Mono,
    },
}

impl Seen {
    /// When the read began, the last one of a row; `None`: there was none.
    pub fn begun(&self) -> Option<Mono> {
        match self {
            Self::Nothing => None,
            Self::Absent { last, .. } => Some(*last),
            Self::Ours { begun, .. } | Self::Foreign { begun } => Some(*begun),
        }
    }
}

impl Knowledge {
    /// What is in doubt, an unanswered write included.
    pub fn doubt(&self) -> Option<UnknownOutcome> {
        let in_flight = self.in_flight.as_ref().map(|sent| {
            let create = (sent.what == Write::Create).then(|| sent.uid.clone());
            UnknownOutcome::new(sent.deadline, false, create)
        });
        [self.doubt.clone(), self.assumed.clone(), in_flight].into_iter().flatten().reduce(UnknownOutcome::and)
    }

    /// A create is in doubt, of whatever object: only a settled read says what it made.
    pub fn doubts_a_create(&self) -> bool {
        self.doubt().is_some_and(|doubt| !doubt.creates.is_empty())
    }

    /// Nothing is in doubt but what another process may have sent.
    pub fn doubts_only_others(&self) -> bool {
        self.assumed.is_some() && self.doubt.is_none() && self.in_flight.is_none()
    }

    /// What a status records as accepted, less what is not known any more.
    pub fn sure_of(&self, uid: &Uid, recorded: Fields) -> Fields {
        let in_flight = self.in_flight.as_ref().and_then(|sent| sent.fields.as_ref());
        let unsure = |field: fn(&UncertainFields) -> bool| {
            self.unsure.iter().chain(in_flight).any(|unsure| unsure.uid == *uid && field(unsure))
        };
        recorded.unsure(unsure(|unsure| unsure.meta), unsure(|unsure| unsure.limits))
    }

    /// No read counts that begins less than a consistency window after `at`.
    pub fn evidence_begins(&mut self, at: Mono) {
        self.evidence_from = self.evidence_from.max(Evidence::Since(at));
    }

    /// A read that began then finds nothing. If another one showed an identity less than a window before, whoever made that may have done so a moment
    /// before it, and a replica may be behind: only a read a window after that one tells (R4).
    pub fn is_denied(&mut self, begun: Mono, window: Duration) {
        if let Some(shown) = self.shown_at.filter(|shown| begun < shown.after(window)) {
            self.evidence_begins(shown);
        }
    }

    /// Nothing that an earlier process sent can take effect any more, or be hidden by a replica. What this process knows better stays.
    pub fn others_are_long_over(&mut self) {
        let untouched = self.evidence_from == Evidence::default()
            && self.last == LastWrite::None
            && self.doubt().is_none()
            && self.seen == Seen::Nothing;
        if untouched {
            self.evidence_from = Evidence::LongSince;
        }
    }

    /// Adds a doubt to what is known.
    pub fn add_doubt(&mut self, doubt: UnknownOutcome) {
        self.evidence_from = self.evidence_from.max(doubt.over);
        self.doubt = Some(match self.doubt.take() {
            Some(before) => before.and(doubt),
            None => doubt,
        });
    }

    /// Adds a doubt about what another process may have sent.
    pub fn assume(&mut self, doubt: UnknownOutcome) {
        self.evidence_from = self.evidence_from.max(doubt.over);
        self.assumed = Some(match self.assumed.take() {
            Some(before) => before.and(doubt),
            None => doubt,
        });
    }

    /// The last write, once it is known that `identity` holds what `object` asked for with these hashes. What an earlier update put there and
    /// no status shows yet stays known.
    pub fn updated(&self, object: &Object, identity: &Confirmed, accepted: &Applied) -> LastWrite {
        let uid = object.guard.uid.clone();
        let told = object.recorded.own().map_or(object.generation, |record| record.generation);
        let (applied, told) = match &self.last {
            LastWrite::Updated { uid: of, identity: to, applied, told: before, noted: false }
                if *of == uid && to == identity =>
            {
                (applied.overlaid(accepted), told.min(*before))
            }
            _ => (accepted.clone(), told),
        };
        LastWrite::Updated { uid, identity: identity.clone(), applied, told, noted: false }
    }

    /// What a create for `uid` has made, or may have made, stays in Unkey: its object was let go so.
    pub fn let_stay(&mut self, uid: &Uid) {
        for doubt in [&mut self.doubt, &mut self.assumed].into_iter().flatten() {
            doubt.creates.remove(uid);
        }
        if matches!(&self.last, LastWrite::Created { uid: of, noted: false, .. } if of == uid) {
            self.last = LastWrite::None;
        }
    }

    /// A settled read has answered what was in doubt.
    pub fn settle(&mut self) -> Option<UnknownOutcome> {
        self.doubt.take().into_iter().chain(self.assumed.take()).reduce(UnknownOutcome::and)
    }

    /// The moment from which on a read is settled, with that consistency window.
    pub fn settles_at(&self, window: Duration) -> Mono {
        let over = self.doubt().map_or(Evidence::LongSince, |doubt| doubt.over);
        match self.evidence_from.max(over) {
            Evidence::LongSince => Mono::ZERO,
            Evidence::Since(at) => at.after(window),
        }
    }

    /// The last read, if it is settled.
    pub fn settled(&self, window: Duration) -> Option<&Seen> {
        self.is_settled(&self.seen, window).then_some(&self.seen)
    }

    /// Whether that look is settled.
    pub fn is_settled(&self, seen: &Seen, window: Duration) -> bool {
        seen.begun().is_some_and(|begun| begun >= self.settles_at(window))
    }

    /// Another root key is in use: nothing read so far proves anything, and a read has to begin a window from now.
    pub fn forget_reads(&mut self, now: Mono) {
        self.seen = Seen::Nothing;
        self.shown_at = None;
        (self.unwitnessed, self.tentative) = (None, None);
        self.evidence_begins(now);
    }

    /// An object that is gone left this to be cleared up, and it is.
    pub fn cleared_up(&mut self) {
        self.last = LastWrite::None;
    }

    /// True if a create for `uid` that is under way, was accepted or was lost is not recorded anywhere else.
    pub fn owes(&self, uid: &Uid) -> bool {
        let created = matches!(&self.last, LastWrite::Created { uid: of, noted: false, .. } if of == uid);
        created || self.doubt().is_some_and(|doubt| doubt.creates.contains(uid))
    }

    /// True if nothing here would be missed once no object names the externalId: no create is unrecorded, and no write
    /// can still mislead a read.
    pub fn is_spent(&self, now: Mono, window: Duration) -> bool {
        !matches!(self.last, LastWrite::Created { noted: false, .. }) && now >= self.settles_at(window)
    }

    /// True if a decision, now or later, is the same without any of it as with it: a write that was accepted is recorded, none is in doubt,
    /// and a read that begins from now on counts either way.
    pub fn makes_no_difference(&self, now: Mono, window: Duration) -> bool {
        let Self {
            last,
            evidence_from: _,
            doubt,
            assumed,
            in_flight,
            unsure,
            limits_sent,
            seen,
            shown_at,
            unwitnessed: _,
            tentative: _,
        } = self;
        let recorded = match last {
            LastWrite::None => true,
            LastWrite::Created { noted, .. } | LastWrite::Updated { noted, .. } => *noted,
            LastWrite::Deleted { .. } | LastWrite::Exists { .. } => false,
        };
        recorded
            && doubt.is_none()
            && assumed.is_none()
            && in_flight.is_none()
            && unsure.is_none()
            // What was there is looked for again in each reconcile; a row of reads that found nothing counts on.
            && !matches!(seen, Seen::Absent { .. })
            && limits_sent.is_none_or(|sent| now >= sent.after(window))
            && shown_at.is_none_or(|shown| now >= shown.after(window))
            && now >= self.settles_at(window)
    }
}
