//! The scan of a plan: what is listed, held against what rests. Which of it matters, the operator's own [`drift_scan`](crate::drift_scan) says.

use std::sync::Arc;

use super::run::Run;
use super::world::Listed;
use crate::drift_scan::{Saw, Sight, Subject, Summary, note};
use crate::ids::Mono;
use crate::ownership::Claimant;

impl<L: Listed> Run<L> {
    /// Holds what is listed against what rests, as the operator's scan does. Returns how many are missing if those are too many to believe it.
    pub(super) fn scans(&mut self) -> usize {
        let begun = self.now;
        let (mut found, mut missing, mut recorded) = (Vec::new(), Vec::new(), 0);
        for at in 0..self.objects.len() {
            let Some(claimant) = self.acts(at) else { continue };
            let is_missed = claimant.recorded.is_some() && !claimant.observes;
            recorded += usize::from(is_missed);
            let saw = self.unkey.shows(self.objects[at].listed.external_id());
            let is_there = saw != Saw::Missing;
            let sight = Sight { begun, saw };
            if is_there {
                found.extend(self.finds(at, &sight).then_some((at, sight)));
            } else if self.settles(at, begun) {
                missing.push((at, is_missed, sight));
            }
        }
        let count = missing.iter().filter(|(_, is_missed, _)| *is_missed).count();
        let summary = Summary { complete: true, recorded, missing: count, ..Summary::default() };
        let withheld = summary.misses_too_many();
        if !withheld {
            let missing = missing.into_iter().filter(|(at, _, sight)| self.finds(*at, sight));
            found.extend(missing.map(|(at, _, sight)| (at, sight)).collect::<Vec<_>>());
        }
        for (at, sight) in found {
            let object = self.object(at);
            let planned = &mut self.objects[at];
            if let Some(named) = self.named.get_mut(planned.listed.external_id()) {
                note(&object, &sight, &mut named.known, Arc::make_mut(&mut planned.state), begun);
                self.hand(at, begun);
            }
        }
        if withheld { count } else { 0 }
    }

    /// What an object says for its right if it acts for its externalId and stays, or is only observed.
    fn acts(&self, at: usize) -> Option<&Claimant> {
        let planned = &self.objects[at];
        let named = self.named.get(planned.listed.external_id())?;
        let own = named.claims.entries().iter().find(|it| it.extra == at)?;
        let acts = own.claimant.observes || named.claims.owner().is_some_and(|owner| owner.extra == at);
        (acts && !planned.gone && !own.claimant.leaving).then_some(&own.claimant)
    }

    fn finds(&self, at: usize, sight: &Sight) -> bool {
        self.subject(at, |subject| subject.finds(sight).is_some())
    }

    fn settles(&self, at: usize, begun: Mono) -> bool {
        self.subject(at, |subject| subject.settles(begun))
    }

    fn subject(&self, at: usize, judge: impl FnOnce(&Subject<'_>) -> bool) -> bool {
        let (object, planned) = (self.object(at), &self.objects[at]);
        self.named.get(planned.listed.external_id()).is_some_and(|named| {
            let role = named.claims.role(&object.guard.uid);
            let (known, object_state, policy) = (&named.known, &planned.state, &*self.policy);
            judge(&Subject { object: &object, role, known, object_state, policy })
        })
    }
}
